"""Small pictures of 32 x 24 to start from, and what is hidden in some of them."""

from __future__ import annotations

from typing import Final

from tests.vision.pictures import gradient, saved

PAYLOAD: Final = b"<script>alert('evil')</script><?php system($_GET[0]); ?>"
SMALL: Final = {format: saved(gradient(32, 24), format) for format in ("JPEG", "PNG", "GIF", "WEBP", "BMP")}
