"""Pictures that are something else too: web pages, archives, scripts."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Final

from PIL import Image, PngImagePlugin

from tests.vision.hostile.bombs import png_chunk
from tests.vision.hostile.small import PAYLOAD, SMALL
from tests.vision.pictures import gradient, noise, saved


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("evil.class", PAYLOAD)
    return file.getvalue()


def _texts() -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", PAYLOAD.decode())
    texts.add_itxt("XML:com.adobe.xmp", PAYLOAD.decode())
    return texts


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = PAYLOAD.decode()
    exif[0x9286] = PAYLOAD
    return exif


def _jpeg_with(segment: int) -> bytes:
    body = PAYLOAD * 3
    return SMALL["JPEG"][:2] + struct.pack(">BBH", 0xFF, segment, len(body) + 2) + body + SMALL["JPEG"][2:]


_OUR: Final = gradient(32, 24)
POLYGLOTS: Final[dict[str, bytes]] = {
    "a JPEG and a web page": SMALL["JPEG"] + PAYLOAD,
    "a JPEG and an archive": SMALL["JPEG"] + archive() + PAYLOAD,
    "a JPEG and a PDF": SMALL["JPEG"] + b"%PDF-1.7\n" + PAYLOAD,
    "a JPEG and another": SMALL["JPEG"] + saved(noise(), "JPEG", comment=PAYLOAD),
    "a script in a JPEG's comment": saved(_OUR, "JPEG", comment=PAYLOAD),
    "a script in a JPEG's EXIF": saved(_OUR, "JPEG", exif=_exif()),
    "a script in a JPEG's profile": saved(_OUR, "JPEG", icc_profile=PAYLOAD),
    "a script in a JPEG's XMP": saved(_OUR, "JPEG", xmp=b"<x>" + PAYLOAD),
    **{
        f"a script in a JPEG's segment {number:x}": _jpeg_with(number)
        for number in (0xE0, 0xE2, 0xED, 0xEE, 0xEF)
    },
    "a script between a JPEG's scans": (
        (scans := saved(_OUR, "JPEG", progressive=True))[: (at := scans.rindex(b"\xff\xda"))]
        + struct.pack(">BBH", 0xFF, 0xFE, len(PAYLOAD) + 2)
        + PAYLOAD
        + scans[at:]
    ),
    "a PNG and a web page": SMALL["PNG"] + PAYLOAD,
    "a PNG and an archive": SMALL["PNG"] + archive() + PAYLOAD,
    "a script in a PNG's texts": saved(_OUR, "PNG", pnginfo=_texts()),
    "a script in a PNG's EXIF": saved(_OUR, "PNG", exif=_exif()),
    "a script in a PNG's profile": saved(_OUR, "PNG", icc_profile=PAYLOAD) + PAYLOAD,
    "a script in a PNG's own chunk": SMALL["PNG"][:33] + png_chunk(b"evIl", PAYLOAD) + SMALL["PNG"][33:],
    "a GIF and a web page": SMALL["GIF"] + PAYLOAD,
    "a script in a GIF's comment": saved(_OUR, "GIF", comment=PAYLOAD),
    "a GIF and an archive": SMALL["GIF"] + archive() + PAYLOAD,
    "a WebP and a web page": SMALL["WEBP"] + PAYLOAD,
    "a script in a WebP's EXIF": saved(_OUR, "WEBP", exif=_exif()),
    "a script in a WebP's XMP": saved(_OUR, "WEBP", xmp=PAYLOAD),
    "a BMP and a web page": SMALL["BMP"] + PAYLOAD,
    "a script in front of a BMP's pixels": (
        SMALL["BMP"][:10]
        + struct.pack("<I", 54 + len(PAYLOAD))
        + SMALL["BMP"][14:54]
        + PAYLOAD
        + SMALL["BMP"][54:]
    ),
}
"""Pictures of 32 x 24 that are something else too."""
