"""Pictures are looked at by a Triton server."""

from __future__ import annotations

from collections.abc import Sequence

from streamproc.errors import SettingsError
from streamproc.vision.names import KNOWN
from streamproc.vision.triton.checking import ModelState, ServerState, check_triton
from streamproc.vision.triton.client import TritonClient, TritonOptions
from streamproc.vision.triton.extractor import TritonExtractor

__all__ = [
    "ModelState",
    "ServerState",
    "TritonExtractor",
    "TritonOptions",
    "check_triton",
    "open_triton",
]


def open_triton(url: str, names: Sequence[str], options: TritonOptions) -> list[TritonExtractor]:
    """Extractors that ask a server; none of them is asked yet.

    Args:
        url: `triton://HOST:8001`, several addresses with commas; `tritons://` for TLS, where
            GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names the certificates of a private authority.
        names: of models, each one of `streamproc.vision.names.KNOWN`.
        options: deadlines, retries, limits.

    Raises:
        SettingsError: the URL or a name is none, or tritonclient is not installed.
    """
    for name in names:
        if name not in KNOWN:
            raise SettingsError(f"no extractor named {name!r}: known are {', '.join(sorted(KNOWN))}")
    client = TritonClient(url, options)
    return [TritonExtractor(client, name, KNOWN[name], options) for name in names]
