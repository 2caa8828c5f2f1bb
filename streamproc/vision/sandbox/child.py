"""The inside of a decoder process: reads files of strangers, writes safe pictures, and can do nothing else.

Started by `process.py` with its limits as JSON. A message begins with its length; an answer
also with its kind and a picture's size.
"""

from __future__ import annotations

import json
import struct
import sys
import warnings
from io import BytesIO
from typing import IO, Final

# Pillow imports some of these only when a file asks for them: behind the guards that is too late.
from PIL import (  # noqa: F401
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageColor,
    ImagePalette,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from streamproc.errors import PictureError, PictureTooLarge
from streamproc.vision.sandbox.decode import DecodeLimits, decode, encode
from streamproc.vision.sandbox.guard import allow_processor_time, confine

REQUEST: Final = struct.Struct(">I")
"""Length of the file that follows."""
ANSWER: Final = struct.Struct(">cHHI")
"""Kind, width, height, and length of what follows."""
READY: Final = b"R"
"""Followed by the guards that are on, with commas."""
PICTURE: Final = b"P"
"""Followed by the JPEG."""
TOO_LARGE: Final = b"L"
"""Followed by the reason."""
UNDECODABLE: Final = b"U"
"""Followed by the reason."""

_TEXT_BYTES: Final = 8 * 1024 * 1024
"""Most that all texts of a PNG may unpack to; Pillow itself holds each one to 1 MiB."""


def main() -> None:
    """Answer requests until there are no more."""
    settings = json.loads(sys.argv[1])
    limits = DecodeLimits(max_pixels=settings["max_pixels"], max_side=settings["max_side"])
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _prepare(limits)
    guards = confine(settings["memory_bytes"])
    _send(answers, READY, ",".join(guards).encode())
    while head := requests.read(REQUEST.size):
        data = requests.read(REQUEST.unpack(head)[0])
        allow_processor_time(settings["cpu_s"])
        _answer(answers, data, limits)


def _prepare(limits: DecodeLimits) -> None:
    """Bring in what is only loaded at first use."""
    warnings.simplefilter("ignore")
    # Pillow refuses more than twice as many, for WebP even before it makes room for them.
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    PngImagePlugin.MAX_TEXT_MEMORY = _TEXT_BYTES
    rehearsal = BytesIO()
    exif = Image.Exif()
    exif[TiffImagePlugin.X_RESOLUTION] = 1
    Image.new("RGB", (8, 8)).save(rehearsal, "JPEG", exif=exif)
    encode(decode(rehearsal.getvalue(), DecodeLimits()))


def _answer(answers: IO[bytes], data: bytes, limits: DecodeLimits) -> None:
    try:
        pixels = decode(data, limits)
        jpeg = encode(pixels)
    except MemoryError:
        _send(answers, TOO_LARGE, b"decoding it needs more memory than a decoder may take")
    except PictureError as error:
        kind = TOO_LARGE if isinstance(error, PictureTooLarge) else UNDECODABLE
        _send(answers, kind, str(error).encode("utf-8", "replace"))
    else:
        _send(answers, PICTURE, jpeg, pixels.size)


def _send(answers: IO[bytes], kind: bytes, content: bytes, size: tuple[int, int] = (0, 0)) -> None:
    answers.write(ANSWER.pack(kind, *size, len(content)))
    answers.write(content)
    answers.flush()


if __name__ == "__main__":
    main()
