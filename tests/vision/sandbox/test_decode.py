"""Strangers' bytes become an upright RGB picture, or one of two errors."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from streamproc.errors import PictureTooLarge, UndecodablePicture
from streamproc.vision.sandbox.decode import SAFE_SIDE, DecodeLimits, decode, encode
from tests.vision.pictures import gradient, noise, png_that_claims, saved

LIMITS = DecodeLimits()
ORIGINAL = np.asarray(gradient())


def _pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(decode(data, LIMITS))


def _close(pixels: NDArray[np.uint8], expected: NDArray[np.uint8], tolerance: int = 0) -> bool:
    return pixels.shape == expected.shape and bool(
        np.all(np.abs(pixels.astype(int) - expected.astype(int)) <= tolerance)
    )


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (saved(gradient(), "PNG"), 0),
        (saved(gradient(), "BMP"), 0),
        (saved(gradient(), "WEBP", lossless=True), 0),
        (saved(gradient(), "JPEG", quality=95), 16),
        (saved(gradient(), "JPEG", quality=95, progressive=True), 16),
        (saved(gradient().quantize(256), "GIF"), 32),
    ],
)
def test_every_format_gives_rgb(data: bytes, tolerance: int) -> None:
    assert _close(_pixels(data), ORIGINAL, tolerance)


def test_a_jpeg_with_a_second_picture_inside_gives_the_first() -> None:
    """Phones write them (MPO); Pillow knows them only through its JPEG reader."""
    data = saved(gradient(), "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))], quality=95)
    assert _close(_pixels(data), ORIGINAL, 16)


def _grey_ramp_16_bits() -> bytes:
    return saved(Image.fromarray(np.tile(np.arange(256, dtype=np.uint16) * 257, (4, 1))))


def test_16_bit_grey_keeps_its_range() -> None:
    pixels = _pixels(_grey_ramp_16_bits())
    assert _close(pixels, np.repeat(np.tile(np.arange(256, dtype=np.uint8), (4, 1))[..., None], 3, axis=2))


def test_transparent_pixels_lie_on_white() -> None:
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[:, 1] = (10, 20, 30, 255)
    rgba[:, 2] = (0, 0, 0, 128)
    pixels = _pixels(saved(Image.fromarray(rgba)))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 1].tolist() == [10, 20, 30]
    assert abs(int(pixels[0, 2, 0]) - 127) <= 1


def test_a_palette_with_a_transparent_colour_lies_on_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    pixels = _pixels(saved(image, "GIF", transparency=0))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[3, 3].tolist() == [0, 0, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "RGBA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("RGB", (8, 8), "white").convert(mode)
    data = saved(image, "JPEG") if mode == "CMYK" else saved(image)
    assert _close(_pixels(data), np.full((8, 8, 3), 255, np.uint8), 2)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_seen(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
    assert _close(_pixels(data), np.full((16, 16, 3), (255, 0, 0), np.uint8), 3)


UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    # How the file's pixels lie when the tag says how to turn them back (EXIF 2.3, tag 0x0112).
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_turned_picture_is_set_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = Image.fromarray(np.ascontiguousarray(UPRIGHT[orientation](ORIGINAL)))
    assert _close(_pixels(saved(turned, "PNG", exif=exif)), ORIGINAL)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((SAFE_SIDE, 30), (SAFE_SIDE, 30)),
        ((30, SAFE_SIDE + 1), (30, SAFE_SIDE)),
        ((5000, 100), (SAFE_SIDE, 41)),
        ((100, 10_000), (20, SAFE_SIDE)),
        ((9000, 2), (SAFE_SIDE, 1)),
    ],
)
def test_the_longer_side_is_bounded(format: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    small = decode(saved(gradient(*size), format), LIMITS)
    assert small.size == expected
    if min(expected) > 1:
        assert _close(np.asarray(small), np.asarray(gradient(*expected)), 24)


def test_a_turned_picture_is_bounded_on_the_side_that_is_longer() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(saved(gradient(4096, 64), "JPEG", exif=exif), LIMITS).size == (32, SAFE_SIDE)


def test_transparent_pixels_do_not_bleed_into_a_smaller_picture() -> None:
    """Their hidden colour is black here: mixed in, it would darken the edges."""
    rgba = np.zeros((8, 2 * SAFE_SIDE, 4), np.uint8)
    rgba[:, ::2] = 255
    pixels = _pixels(saved(Image.fromarray(rgba)))
    assert pixels.shape == (4, SAFE_SIDE, 3)
    assert pixels.min() > 250


def test_a_safe_picture_holds_pixels_and_nothing_else_of_its_file() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    data = saved(gradient(), "JPEG", exif=exif, comment=b"a secret", icc_profile=b"a secret", dpi=(7, 7))
    assert data.count(b"a secret") == 3
    jpeg = encode(decode(data, LIMITS))
    assert b"secret" not in jpeg
    with Image.open(BytesIO(jpeg)) as safe:
        assert not set(safe.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert safe.info["jfif_density"] != (7, 7)
        assert _close(np.asarray(safe), ORIGINAL, 24)


def test_coloured_writing_keeps_its_colours_in_a_safe_picture() -> None:
    """Lines of red and blue, one pixel wide: half the resolution of colour would make them one purple."""
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[:, ::2, 0] = 255
    lines[:, 1::2, 2] = 255
    with Image.open(BytesIO(encode(decode(saved(Image.fromarray(lines)), LIMITS)))) as safe:
        pixels = np.asarray(safe).astype(int)
    assert pixels[:, ::2, 0].mean() - pixels[:, 1::2, 0].mean() > 200


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_a_damaged_exif_block_costs_nothing_but_the_turn(exif: bytes) -> None:
    data = saved(gradient(), "JPEG", quality=95, exif=exif)
    assert _close(_pixels(data), ORIGINAL, 16)


@pytest.mark.parametrize(
    ("size", "limits"),
    [
        ((30_000, 30_000), LIMITS),  # beyond what Pillow itself takes
        ((10_000, 10_000), LIMITS),  # where Pillow would warn
        ((6_000, 8_000), LIMITS),
        ((20_000, 1), LIMITS),
        ((1, 20_000), LIMITS),
        ((101, 100), DecodeLimits(max_pixels=10_000)),
        ((101, 1), DecodeLimits(max_side=100)),
        ((2**31 - 1, 2**31 - 1), LIMITS),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_more_pixels_than_allowed_are_refused_from_the_header(
    size: tuple[int, int], limits: DecodeLimits
) -> None:
    with pytest.raises(PictureTooLarge):
        decode(png_that_claims(*size), limits)


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_pillows_warning_counts_as_too_large_where_warnings_are_errors() -> None:
    with pytest.raises(PictureTooLarge):
        decode(png_that_claims(10_000, 10_000), LIMITS)


@pytest.mark.parametrize(
    ("format", "keep"), [(f, k) for f in ("PNG", "JPEG", "GIF", "WEBP", "BMP") for k in (0.1, 0.5, 0.9)]
)
def test_a_file_that_is_cut_short_is_refused_and_not_half_decoded(format: str, keep: float) -> None:
    data = saved(noise(), format)
    with pytest.raises(UndecodablePicture):
        decode(data[: int(len(data) * keep)], LIMITS)


def test_a_progressive_jpeg_that_is_cut_short_is_refused() -> None:
    data = saved(noise(), "JPEG", progressive=True)
    with pytest.raises(UndecodablePicture, match="damaged"):
        decode(data[: len(data) * 3 // 4], LIMITS)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html><body>not found", "an HTML page"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><svg/>', "an XML document"),
        (b"  <svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF document"),
        (b'{"error": "no such picture"}', "JSON"),
        (saved(gradient(), "TIFF"), "a TIFF picture"),
        (struct.pack(">I4s4s", 24, b"ftyp", b"heic"), r"an ISO media file \(heic\)"),
        (b"MZ\x90\x00" + bytes(100), "104 bytes that begin with 4d5a9000"),
        (saved(gradient(), "ICO"), "[0-9]+ bytes that begin with 00000100"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, found: str) -> None:
    with pytest.raises(UndecodablePicture, match=f"expected JPEG, PNG, GIF, WEBP, BMP, found {found}"):
        decode(data, LIMITS)


FILES = [
    saved(gradient(16, 16), "PNG"),
    saved(gradient(16, 16), "JPEG"),
    saved(gradient(16, 16).quantize(8), "GIF"),
    saved(gradient(16, 16), "WEBP"),
    saved(gradient(16, 16), "BMP"),
]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=4)), max_size=8)
)
def test_damaged_files_end_in_a_picture_or_a_named_error(
    file: bytes, damage: list[tuple[int, bytes]]
) -> None:
    data = bytearray(file)
    for place, replacement in damage:
        at = place % len(data)
        data[at : at + len(replacement)] = replacement
    try:
        picture = decode(bytes(data), DecodeLimits(max_pixels=10_000))
    except (UndecodablePicture, PictureTooLarge):
        return
    assert picture.mode == "RGB"
