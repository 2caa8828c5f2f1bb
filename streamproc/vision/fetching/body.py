"""Reading an HTTP body within a limit, whatever its headers claim."""

from __future__ import annotations

import zlib
from typing import Final

import aiohttp

from streamproc.errors import FetchFailed, PictureTooLarge

_CHUNK_BYTES: Final = 64 * 1024
_EITHER_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS


async def read_body(response: aiohttp.ClientResponse, host: str, max_bytes: int) -> bytes:
    """The whole body, its content encoding taken off.

    Both what comes over the wire and what it unpacks to are held to the limit while reading:
    a Content-Length may lie, and a few kilobytes of gzip may hold gigabytes.

    Raises:
        PictureTooLarge: more than the limit.
        FetchFailed: an encoding that was not asked for and is not known, or a damaged one.
    """
    if (response.content_length or 0) > max_bytes:
        raise PictureTooLarge(f"{host} offers {response.content_length} bytes, the limit is {max_bytes}")
    unpack = _unpacker(response.headers.get("Content-Encoding", ""), host)
    body = bytearray()
    received = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        received += len(chunk)
        body += chunk if unpack is None else _unpacked(unpack, chunk, max_bytes + 1 - len(body), host)
        if max(received, len(body)) > max_bytes:
            raise PictureTooLarge(f"{host} sends more than {max_bytes} bytes")
    if unpack is not None and not unpack.eof:
        raise FetchFailed(f"{host}: the compressed body ends early")
    return bytes(body)


def _unpacker(encoding: str, host: str) -> zlib._Decompress | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return zlib.decompressobj(_EITHER_ZLIB_OR_GZIP)
        case _:
            raise FetchFailed(f"{host} sends a content encoding that was not asked for")


def _unpacked(unpack: zlib._Decompress, chunk: bytes, room: int, host: str) -> bytes:
    """At most `room` bytes: what does not fit stays packed."""
    if unpack.eof:
        return b""
    try:
        return unpack.decompress(chunk, room)
    except zlib.error:
        raise FetchFailed(f"{host}: the compressed body is damaged") from None
