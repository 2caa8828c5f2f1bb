"""Bytes from a stranger → a picture, or the reason why not.

Runs inside the sandbox (`child.py`), so it imports little: no numpy, no models.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Final

from PIL import Image, UnidentifiedImageError

from streamproc.errors import PictureTooLarge, UndecodablePicture

FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
"""What is decoded: the formats that feeds carry. Every further one is attack surface."""

SAFE_SIDE: Final = 2048
"""Longest side of a safe picture, in pixels."""
SAFE_QUALITY: Final = 92
"""JPEG quality of a safe picture. Colours keep their full resolution (4:4:4): coloured writing needs it."""

_REDUCING_GAP: Final = 3.0
"""Shrink in whole steps down to this many times the size, and only then with LANCZOS."""
_ORIENTATION_TAG: Final = 0x0112
_TURN: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_OTHER_KINDS: Final = (
    (b"%pdf", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"{", "JSON"),
    (b"ii*\0", "a TIFF picture"),
    (b"mm\0*", "a TIFF picture"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """How large a picture may be, known from its header before anything is decoded.

    Attributes:
        max_pixels: width x height.
        max_side: of the longer side, in pixels.
    """

    max_pixels: int = 40_000_000
    max_side: int = 16_384


def digest_of(data: bytes) -> str:
    """A picture's identity: sha256 of its file, in hex."""
    return sha256(data).hexdigest()


def decode(data: bytes, limits: DecodeLimits) -> Image.Image:
    """Decode a picture: first frame, upright, RGB, no larger than `SAFE_SIDE`; transparency lies on white.

    Blocks, and may need `24 * limits.max_pixels` bytes: call it in the sandbox.

    Raises:
        PictureTooLarge: more pixels or a longer side than the limits.
        UndecodablePicture: another format, or a file that is damaged or cut short.
        MemoryError: it needs more memory than there is.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(image.size, limits)
            size = _bounded(image.size)
            # A JPEG can be decoded at a half, a quarter or an eighth; other formats do not care.
            image.draft(None, size)
            image.load()
            pixels = _rgb(image, size)
            turn = _TURN.get(_orientation(image))
    except (PictureTooLarge, UndecodablePicture, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureTooLarge(f"the picture has more than {limits.max_pixels} pixels") from None
    except UnidentifiedImageError:
        raise UndecodablePicture(f"expected {', '.join(FORMATS)}, found {_describe(data)}") from None
    except Exception as error:  # noqa: BLE001  the decoders raise nearly anything on a file made to hurt
        raise UndecodablePicture(f"the file is damaged: {_one_line(error)}") from None
    if turn is not None:
        pixels = pixels.transpose(turn)
    # Comments, profiles and resolutions of the stranger's file: Pillow would write some of them again.
    pixels.info.clear()
    return pixels


def encode(pixels: Image.Image) -> bytes:
    """The JPEG of a decoded picture: its pixels and nothing else."""
    file = BytesIO()
    pixels.save(file, "JPEG", quality=SAFE_QUALITY, subsampling="4:4:4")
    return file.getvalue()


def _check_size(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels or max(size) > limits.max_side:
        raise PictureTooLarge(
            f"{width} x {height} pixels, the limits are {limits.max_pixels} pixels "
            f"and {limits.max_side} a side"
        )
    if not width or not height:
        raise UndecodablePicture(f"a picture of {width} x {height} pixels")


def _bounded(size: tuple[int, int]) -> tuple[int, int]:
    """The size with its longer side cut to `SAFE_SIDE`."""
    scale = min(1.0, SAFE_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _rgb(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion would cut everything above 255 to white.
        grey = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        return _shrunk(grey, size).convert("RGB")
    if image.has_transparency_data:
        painted = _shrunk(image.convert("RGBA"), size)
        ground = Image.new("RGBA", painted.size, "white")
        return Image.alpha_composite(ground, painted).convert("RGB")
    return _shrunk(image.convert("RGB"), size)


def _shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; a damaged EXIF block costs the picture nothing but its turn."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001  as above: the block is a stranger's
        return 1


def _describe(data: bytes) -> str:
    if not data:
        return "an empty file"
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, kind in _OTHER_KINDS:
        if head.startswith(magic):
            return kind
    if data[4:8] == b"ftyp":
        return f"an ISO media file ({data[8:12].decode('ascii', 'replace')})"
    return f"{len(data)} bytes that begin with {data[:4].hex()}"


def _one_line(error: Exception) -> str:
    return " ".join(f"{error}".split())[:120] or type(error).__name__
