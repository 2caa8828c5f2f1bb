"""What every model of `deploy/triton/models` runs: an engine behind Triton's Python backend."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Final

import triton_python_backend_utils as pb_utils
from PIL import Image

from streamproc.errors import PictureError, StreamprocError
from streamproc.triton.parameters import device_of, model_parameters
from streamproc.triton.tensors import cancelled, failure_of, picture_of, response_of
from streamproc.vision.engine import Engine, look_at_each
from streamproc.vision.engines import open_engine
from streamproc.vision.visuals import Value
from streamproc.vision.wire import to_tensors

_BLANK: Final = (640, 480)


class TritonPythonModel:
    """One instance of a model. Triton calls it from one thread, with requests of one picture each.

    The engine is the one that the model is named after, or the one that the parameter `engine` names.
    """

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the engine and let it look at a blank picture; Triton serves the model after that.

        Raises:
            TritonModelException: the engine cannot be had; says what to run. Other models go on.
        """
        try:
            self._engine = _open(args)
            self._engine.load()
        except StreamprocError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        self._threads = ThreadPoolExecutor(self._engine.workers, thread_name_prefix="look")
        (first,) = self._look([_blank_jpeg()])
        if isinstance(first, PictureError):
            raise pb_utils.TritonModelException(f"a blank picture: {first}")

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response for each request, in order."""
        jpegs = [picture_of(request) for request in requests]
        waited_for = [
            bool(jpeg) and not request.is_cancelled() for request, jpeg in zip(requests, jpegs, strict=True)
        ]
        outcomes = iter(self._look([jpeg for jpeg, looks in zip(jpegs, waited_for, strict=True) if looks]))
        responses = []
        for jpeg, looks in zip(jpegs, waited_for, strict=True):
            if looks:
                responses.append(self._response(next(outcomes)))
            else:
                responses.append(cancelled() if jpeg else response_of(self._engine.version, {}))
        return responses

    def finalize(self) -> None:
        """Give back what the engine holds."""
        self._threads.shutdown()
        self._engine.close()

    def _look(self, jpegs: Sequence[bytes]) -> list[Value | PictureError]:
        """What the engine sees, as many pictures at a time and in as many threads as it likes."""
        size = self._engine.batch
        batches = [jpegs[start : start + size] for start in range(0, len(jpegs), size)]
        looked = self._threads.map(lambda batch: look_at_each(self._engine, batch), batches)
        return [outcome for outcomes in looked for outcome in outcomes]

    def _response(self, outcome: Value | PictureError) -> Any:
        if isinstance(outcome, PictureError):
            return failure_of(outcome)
        return response_of(self._engine.version, to_tensors(self._engine.modality, outcome))


def _open(args: Mapping[str, str]) -> Engine[Any]:
    name = args["model_name"]
    config = model_parameters(name, json.loads(args["model_config"])["parameters"], os.environ)
    device = device_of(args["model_instance_kind"], args["model_instance_device_id"])
    return open_engine(config.pop("engine", name), config, config.pop("device", device))


def _blank_jpeg() -> bytes:
    file = BytesIO()
    Image.new("RGB", _BLANK, "white").save(file, "JPEG")
    return file.getvalue()
