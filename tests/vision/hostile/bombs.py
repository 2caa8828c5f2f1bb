"""Small files that ask their decoder for much."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

from tests.vision.pictures import saved

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def jpeg_of_many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG that goes over all of its pixels again and again: a scan takes some 60 bytes."""
    file = saved(Image.new("L", (width, height)), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    first = file.rindex(b"\xff\xc4", 0, last)
    scan, end = file[first:-2], file[-2:]
    return file[:-2] + scan * scans + end


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, width: int = 8, height: int = 8, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG with further chunks in front of its grey pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
    return PNG_MAGIC + header + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


def png_without_pixels(
    width: int, height: int, depth: int = 8, colour: int = 2, interlaced: int = 0
) -> bytes:
    """A PNG whose header promises what its few bytes do not hold."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return PNG_MAGIC + png_chunk(b"IHDR", header) + pixels + png_chunk(b"IEND", b"")


def black_png(width: int, height: int) -> bytes:
    """An honest PNG, a thousandth of its pixels in size."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + width)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return PNG_MAGIC + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def packed_text(kind: bytes, megabytes: int) -> bytes:
    """A compressed text chunk or colour profile of a PNG that unpacks to megabytes of noughts."""
    head = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    return png_chunk(kind, head + zlib.compress(bytes(megabytes << 20), 9))


def resized_jpeg(width: int, height: int, **options: object) -> bytes:
    """A small JPEG whose frame header claims another size."""
    file = bytearray(saved(Image.new("RGB", (16, 16), "red"), "JPEG", **options))
    at = max(file.find(b"\xff\xc0"), file.find(b"\xff\xc2"))
    file[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(file)


def gif(width: int, height: int, *, frames: int = 1, frame_size: tuple[int, int] = (1, 1)) -> bytes:
    """A GIF of a screen of that size and frames of their own size, one byte of pixels each."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    frame = b"," + struct.pack("<HHHHB", 0, 0, *frame_size, 0) + b"\x02\x02\x44\x01\x00"
    return screen + frame * frames + b";"


def webp(kind: bytes, body: bytes) -> bytes:
    """A WebP file of one chunk."""
    chunk = kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def webp_canvas(width: int, height: int) -> bytes:
    """An extended WebP that claims a canvas and an animation."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\x02\0\0\0" + size)


def bmp(width: int, height: int, *, bits: int = 24, compression: int = 0, pixels: bytes = b"") -> bytes:
    """A BMP whose header claims what it likes."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54) + info + pixels


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    """A TIFF of one directory: entries of tag, type, count and value."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)
