"""Small copies of pictures, for pages that people look at."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image

from streamproc.vision.api import Picture
from streamproc.vision.visuals import Thumbnail

THUMBNAIL_SIDE: Final = 480
"""Longest side of a thumbnail, in pixels."""

_QUALITY: Final = 80


def thumbnail_of(picture: Picture) -> Thumbnail:
    """A picture's small copy, made from the sandbox's JPEG and never from the stranger's file.

    Blocks: run it in an executor.
    """
    with Image.open(BytesIO(picture.jpeg), formats=("JPEG",)) as copy:
        copy.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        file = BytesIO()
        copy.save(file, "JPEG", quality=_QUALITY, optimize=True)
        return Thumbnail(picture.digest, *copy.size, file.getvalue())
