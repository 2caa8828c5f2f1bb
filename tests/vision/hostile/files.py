"""Files that strangers would send, and what becomes of each: a safe picture, or a named reason."""

from __future__ import annotations

import json
import struct
from typing import Final

from streamproc.errors import PictureError, PictureTooLarge, UndecodablePicture
from tests.vision.hostile.bombs import (
    black_png,
    bmp,
    gif,
    jpeg_of_many_scans,
    packed_text,
    png,
    png_chunk,
    png_without_pixels,
    resized_jpeg,
    tiff,
    webp,
    webp_canvas,
)
from tests.vision.hostile.polyglots import archive
from tests.vision.hostile.small import PAYLOAD, SMALL
from tests.vision.pictures import gradient, saved

PIXELS: Final = r"pixels, the limits are|more than \d+ pixels"
DAMAGED: Final = "the file is damaged|expected JPEG"
MEMORY: Final = "needs more memory"

# Small enough that the tests are quick; what the limits are is the settings' business.
MAX_PIXELS: Final = 4_000_000
MAX_SIDE: Final = 16_384

Outcome = tuple[type[PictureError], str] | tuple[int, int]
"""The error and its words, or the size of the picture."""

BOMBS: Final[dict[str, tuple[bytes, Outcome]]] = {
    # Sizes.
    "a PNG of 2^31 x 2^31": (png_without_pixels(2**31 - 1, 2**31 - 1), (PictureTooLarge, PIXELS)),
    "a PNG of 60000 x 60000": (png_without_pixels(60_000, 60_000), (PictureTooLarge, PIXELS)),
    "a PNG a little too large": (png_without_pixels(2001, 2000), (PictureTooLarge, PIXELS)),
    "a PNG a line of 20000": (png_without_pixels(20_000, 1), (PictureTooLarge, PIXELS)),
    "a PNG a column of 20000": (png_without_pixels(1, 20_000), (PictureTooLarge, PIXELS)),
    "a PNG of 0 x 5": (png_without_pixels(0, 5), (UndecodablePicture, DAMAGED + "|0 x 5")),
    "a PNG of 5 x 0": (png_without_pixels(5, 0), (UndecodablePicture, DAMAGED + "|5 x 0")),
    "a PNG of fewer pixels than it claims": (
        png_without_pixels(1500, 1500),
        (UndecodablePicture, DAMAGED),
    ),
    "an interlaced PNG of fewer pixels": (
        png_without_pixels(1500, 1500, interlaced=1),
        (UndecodablePicture, DAMAGED),
    ),
    "a PNG of 64 bits a pixel": (png_without_pixels(1500, 1500, 16, 6), (UndecodablePicture, DAMAGED)),
    "a PNG of an impossible depth": (png_without_pixels(9, 9, 33), (UndecodablePicture, DAMAGED)),
    "a PNG of an impossible colour": (png_without_pixels(9, 9, 8, 5), (UndecodablePicture, DAMAGED)),
    "a black PNG, packed a thousandfold": (black_png(2000, 2000), (2000, 2000)),
    "a PNG of more pixels than it claims": (
        black_png(2000, 2000)[:16] + struct.pack(">II", 9, 9) + black_png(2000, 2000)[24:],
        (UndecodablePicture, DAMAGED),
    ),
    "a JPEG of 65535 x 65535": (resized_jpeg(65_535, 65_535), (PictureTooLarge, PIXELS)),
    "a progressive JPEG of 65535 x 65535": (
        resized_jpeg(65_535, 65_535, progressive=True),
        (PictureTooLarge, PIXELS),
    ),
    "a JPEG of 2001 x 2000": (resized_jpeg(2001, 2000), (PictureTooLarge, PIXELS)),
    # It has its end mark: libjpeg paints the rest grey, and no error is left to see.
    "a JPEG that says it is whole long before it is": (resized_jpeg(1900, 1900), (1900, 1900)),
    "a JPEG of 0 x 16": (resized_jpeg(0, 16), (UndecodablePicture, DAMAGED + "|0 x")),
    "a JPEG of 16 x 0": (resized_jpeg(16, 0), (UndecodablePicture, DAMAGED + "|x 0")),
    "a JPEG of ten thousand scans": (
        jpeg_of_many_scans(2000, 2000, 10_000),
        (UndecodablePicture, r"more than 1\.5 s of processor time"),
    ),
    "a GIF screen of 65535 x 65535": (gif(65_535, 65_535), (PictureTooLarge, PIXELS)),
    "a GIF frame of 65535 x 65535": (
        gif(9, 9, frame_size=(65_535, 65_535)),
        (PictureTooLarge, PIXELS + "|" + MEMORY),
    ),
    "a GIF of 0 x 0": (gif(0, 0, frame_size=(0, 0)), (UndecodablePicture, DAMAGED + "|0 x 0")),
    "a GIF of 100000 frames": (gif(8, 8, frames=100_000, frame_size=(8, 8)), (UndecodablePicture, DAMAGED)),
    "a WebP canvas of 16384 x 16384": (webp_canvas(16_384, 16_384), (PictureTooLarge, PIXELS)),
    "a WebP canvas of 2^24 x 2^24": (webp_canvas(2**24, 2**24), (PictureTooLarge, PIXELS)),
    "a WebP canvas of 2^24 x 1": (webp_canvas(2**24, 1), (PictureError, ".")),
    "a lossy WebP of 16383 x 16383": (
        webp(b"VP8 ", b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 16_383, 16_383) + bytes(20)),
        (PictureTooLarge, PIXELS),
    ),
    "a lossless WebP of 16384 x 16384": (webp(b"VP8L", b"\x2f" + b"\xff" * 20), (PictureTooLarge, PIXELS)),
    "a WebP of an empty canvas": (webp_canvas(1500, 1500), (UndecodablePicture, DAMAGED)),
    "a BMP of 2^31 x 2^31": (bmp(2**31 - 1, 2**31 - 1), (PictureTooLarge, PIXELS)),
    "a BMP of negative width": (bmp(-9, 9), (PictureTooLarge, PIXELS)),
    "a BMP of negative width and height": (bmp(-(2**31), -(2**31)), (PictureError, ".")),
    "a BMP upside down of 60000 x 60000": (bmp(60_000, -60_000), (PictureTooLarge, PIXELS)),
    "a BMP of fewer pixels than it claims": (
        bmp(1500, 1500, pixels=b"x" * 99),
        (UndecodablePicture, DAMAGED),
    ),
    "a BMP of 0 bits": (bmp(9, 9, bits=0), (UndecodablePicture, DAMAGED)),
    "a BMP of an unknown compression": (bmp(9, 9, compression=99), (UndecodablePicture, DAMAGED)),
    "a BMP of runs that jump out of it": (
        bmp(64, 64, bits=8, compression=1, pixels=b"\0\2\xff\xff" * 200),
        (UndecodablePicture, DAMAGED),
    ),
    "a BMP of runs without end": (
        bmp(1500, 1500, bits=8, compression=1, pixels=b"\xff\0" * 100),
        (UndecodablePicture, DAMAGED),
    ),
    "a TIFF of 60000 x 60000": (
        tiff((256, 4, 1, 60_000), (257, 4, 1, 60_000)),
        (UndecodablePicture, "found a TIFF"),
    ),
    "a TIFF of four thousand million strips": (
        tiff((256, 4, 1, 9), (257, 4, 1, 9), (273, 4, 0xFFFFFFFF, 8)),
        (UndecodablePicture, "found a TIFF"),
    ),
    "a TIFF in a circle": (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", (UndecodablePicture, "found a TIFF")),
    "a big-endian TIFF": (b"MM\0*" + bytes(20), (UndecodablePicture, "found a TIFF")),
    # What unpacks to more than it is.
    "a zTXt of 64 MB": (png(packed_text(b"zTXt", 64)), (UndecodablePicture, DAMAGED)),
    "an iTXt of 64 MB": (png(packed_text(b"iTXt", 64)), (UndecodablePicture, DAMAGED)),
    "an iCCP of 64 MB": (png(packed_text(b"iCCP", 64)), (UndecodablePicture, DAMAGED)),
    "twenty zTXt of 1 MB": (png(*[packed_text(b"zTXt", 1)] * 20), (UndecodablePicture, DAMAGED)),
    "30000 text chunks": (png(png_chunk(b"tEXt", b"k\0v") * 30_000), (8, 8)),
    "50000 unknown chunks": (png(png_chunk(b"xxXx", b"") * 50_000), (8, 8)),
    "a chunk of 2^31": (png(b"\x7f\xff\xff\xfftEXt"), (UndecodablePicture, DAMAGED)),
    "a chunk of 2^32": (png(b"\xff\xff\xff\xfftEXt"), (UndecodablePicture, DAMAGED)),
    "an animated PNG of 2^32 frames": (png(png_chunk(b"acTL", b"\xff" * 8)), (8, 8)),
    "an animated PNG's frame outside of it": (
        png(
            png_chunk(b"acTL", struct.pack(">II", 2, 0)),
            png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 2**30, 2**30, 2**30, 2**30, 1, 1, 0, 0)),
        ),
        (UndecodablePicture, DAMAGED),
    ),
    "a JPEG of EXIF directories in a circle": (
        saved(
            gradient(32, 24),
            "JPEG",
            exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0" + bytes(4),
        ),
        (32, 24),
    ),
    "a JPEG of an EXIF value of 4 GB": (
        saved(
            gradient(32, 24),
            "JPEG",
            exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\xff\xff\xff\xff\x08\0\0\0" + bytes(4),
        ),
        (32, 24),
    ),
    "a JPEG of an orientation of 65535": (
        saved(
            gradient(32, 24),
            "JPEG",
            exif=b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\xff\xff\0\0" + bytes(4),
        ),
        (32, 24),
    ),
    "a JPEG of a thousand comments": (
        SMALL["JPEG"][:2] + (b"\xff\xfe\xff\xff" + bytes(0xFFFD)) * 100 + SMALL["JPEG"][2:],
        (32, 24),
    ),
    "a JPEG of segments of length 0": (
        SMALL["JPEG"][:2] + b"\xff\xe5\0\0" * 50 + SMALL["JPEG"][2:],
        (32, 24),
    ),
    "a JPEG without tables": (
        SMALL["JPEG"][:2] + SMALL["JPEG"][SMALL["JPEG"].index(b"\xff\xc0") :],
        (UndecodablePicture, DAMAGED),
    ),
}


OTHERS: Final[dict[str, tuple[bytes, Outcome]]] = {
    name: (data, (UndecodablePicture, f"expected JPEG, PNG, GIF, WEBP, BMP, found {found}"))
    for name, data, found in [
        ("nothing", b"", "an empty file"),
        ("noughts", bytes(1000), "1000 bytes"),
        ("a web page", b"<!DOCTYPE html>" + PAYLOAD, "an HTML page"),
        ("a web page without doctype", b"\n <HTML>" + PAYLOAD, "an HTML page"),
        ("a script", PAYLOAD, r"\d+ bytes"),
        ("an SVG", b"<svg xmlns='http://www.w3.org/2000/svg'>" + PAYLOAD + b"</svg>", "an SVG drawing"),
        (
            "an SVG that reads files",
            b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
            "an XML document",
        ),
        (
            "an SVG that asks others",
            b'<svg><image href="http://169.254.169.254/latest/meta-data/"/></svg>',
            "an SVG drawing",
        ),
        ("a thousand million laughs", b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l "lol">]>', "an XML"),
        ("a PDF", b"%PDF-1.7\n" + PAYLOAD, "a PDF document"),
        ("JSON", json.dumps({"error": "no"}).encode(), "JSON"),
        (
            "PostScript",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file",
            r"\d+ bytes",
        ),
        ("MVG", b"push graphic-context\nfill 'url(https://127.0.0.1/\"|id\")'", r"\d+ bytes"),
        ("a ZIP", archive(), r"\d+ bytes that begin with 504b0304"),
        ("a program", b"\x7fELF\2\1\1" + bytes(100), r"\d+ bytes that begin with 7f454c46"),
        ("a Windows program", b"MZ\x90\0" + bytes(100), r"\d+ bytes that begin with 4d5a9000"),
        ("a pickle", b"cos\nsystem\n(S'id'\ntR.", r"\d+ bytes"),
        ("a TIFF", saved(gradient(), "TIFF"), "a TIFF picture"),
        ("an icon", saved(gradient(), "ICO"), r"\d+ bytes"),
        ("a JPEG 2000", saved(gradient(), "JPEG2000"), r"\d+ bytes"),
        ("a TGA", saved(gradient(), "TGA"), r"\d+ bytes"),
        ("a PCX", saved(gradient(), "PCX"), r"\d+ bytes"),
        ("a PPM", saved(gradient(), "PPM"), r"\d+ bytes"),
        ("an AVIF", struct.pack(">I4s4s", 24, b"ftyp", b"avif") + bytes(99), r"an ISO media file \(avif\)"),
        ("a HEIC", struct.pack(">I4s4s", 24, b"ftyp", b"heic") + bytes(99), r"an ISO media file \(heic\)"),
        ("a film", struct.pack(">I4s4s", 24, b"ftyp", b"isom") + bytes(99), r"an ISO media file \(isom\)"),
        ("a PSD", b"8BPS\0\1" + bytes(99), r"\d+ bytes"),
        ("a FITS", b"SIMPLE  =                    T" + bytes(99), r"\d+ bytes"),
        ("a WMF", b"\xd7\xcd\xc6\x9a" + bytes(99), r"\d+ bytes"),
        ("sound", b"RIFF\x24\0\0\0WAVEfmt " + bytes(99), r"\d+ bytes"),
        ("only the mark of a PNG", b"\x89PNG\r\n\x1a\n", r"\d+ bytes"),
        ("only the mark of a JPEG", b"\xff\xd8\xff", r"\d+ bytes"),
        ("only the mark of a GIF", b"GIF89a", r"\d+ bytes"),
        ("a picture behind a byte", b"\0" + SMALL["PNG"], r"\d+ bytes"),
    ]
}
