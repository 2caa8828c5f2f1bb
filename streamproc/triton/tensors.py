"""Requests and responses of Triton's Python backend. Can be imported inside its stub process only."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from streamproc.errors import PictureError, UndecodablePicture
from streamproc.vision.wire import PICTURE, VERSION, as_bytes

_TAKEN: Final = b"used_dltensor"
_rename_capsule = ctypes.pythonapi.PyCapsule_SetName
_rename_capsule.argtypes = [ctypes.py_object, ctypes.c_char_p]


def picture_of(request: Any) -> bytes:
    """The JPEG that a request brings; empty where only the version is asked for."""
    return np.from_dlpack(pb_utils.get_input_tensor_by_name(request, PICTURE)).tobytes()


def response_of(version: str, tensors: Mapping[str, NDArray[Any]]) -> Any:
    """A response: the version, and what stands for a value."""
    named = {VERSION: as_bytes(version.encode()), **tensors}
    return pb_utils.InferenceResponse([_tensor(name, array[None]) for name, array in named.items()])


def failure_of(error: PictureError) -> Any:
    """The response to a request whose picture gave nothing; other requests are not touched."""
    mine = isinstance(error, UndecodablePicture)
    code = pb_utils.TritonError.INVALID_ARG if mine else pb_utils.TritonError.INTERNAL
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))


def cancelled() -> Any:
    """The response to a request that nobody waits for any more."""
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError("nobody waits for it", pb_utils.TritonError.CANCELLED)
    )


def _tensor(name: str, array: NDArray[Any]) -> Any:
    """An output tensor.

    By DLPack, because a stub from before numpy 2 (tritonserver 2.51) takes numpy 2's arrays for empty
    ones; and it refuses DLPack's empty ones.
    """
    if array.size == 0:
        return pb_utils.Tensor(name, array)
    capsule = np.array(array, order="C").__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(name, capsule)
    # The stub gives a capsule that it has taken a name of its own, at which numpy complains in the log.
    _rename_capsule(capsule, _TAKEN)
    return tensor
