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
    """A picture's small copy, encoded from its pixels: nothing else of the file it came in is left.

    Blocks: run it in an executor.
    """
    copy = Image.fromarray(picture.pixels)
    copy.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    file = BytesIO()
    copy.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return Thumbnail(picture.digest, *copy.size, file.getvalue())
