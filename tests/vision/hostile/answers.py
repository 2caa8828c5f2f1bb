"""What hostile servers answer, and what each answer ends in."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Awaitable, Callable
from typing import Final

from streamproc.errors import FetchFailed, FetchRefused, PictureError, PictureTooLarge
from tests.vision.http_server import Request

MAX_BYTES: Final = 100_000
SLOW: Final = r"did not answer in 0\.3 s|took longer than 0\.6 s"
NOT_HTTP: Final = "the answer cannot be read|the body ends early"
END: Final = "the body ends early"
TOO_LARGE: Final = "more than 100000 bytes"
OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Answer = Callable[[Request], Awaitable[None]]


def says(*parts: bytes) -> Answer:
    """Says this and hangs up."""

    async def answer(request: Request) -> None:
        for part in parts:
            await request.send(part)

    return answer


def falls_silent(*parts: bytes) -> Answer:
    """Says this, and then nothing for as long as anybody listens."""

    async def answer(request: Request) -> None:
        for part in parts:
            await request.send(part)
        await request.gone()

    return answer


def never_ends(head: bytes, unit: bytes) -> Answer:
    """Says the head, and then the same again and again."""

    async def answer(request: Request) -> None:
        await request.send(head)
        while True:
            await request.send(unit)

    return answer


def drips(head: bytes, unit: bytes) -> Answer:
    """A slow loris: the head, and then a byte or two every now and then."""

    async def answer(request: Request) -> None:
        await request.send(head)
        while not await request.gone(0.02):
            await request.send(unit)

    return answer


def sends(body: bytes, status: str = "200 OK", **headers: str) -> Answer:
    """A whole answer with headers that may lie."""

    async def answer(request: Request) -> None:
        await request.reply(body, status, **headers)

    return answer


def redirects(target: str, status: str = "302 Found") -> Answer:
    """Sends us on; `{n}` counts."""
    count = 0

    async def answer(request: Request) -> None:
        nonlocal count
        count += 1
        await request.reply(status=status, Location=target.format(n=count))

    return answer


def _bomb(wbits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(64)) + packer.flush()


PACKED: Final = gzip.compress(b"picture" * 50)

ANSWERS: Final[dict[str, tuple[Answer, type[PictureError], str]]] = {
    # Slow.
    "nothing at all": (falls_silent(), FetchFailed, SLOW),
    "half a status line": (falls_silent(b"HTTP/1.1 20"), FetchFailed, SLOW),
    "headers without an end": (falls_silent(OK), FetchFailed, SLOW),
    "headers that drip": (drips(OK, b"X: a\r\n"), FetchFailed, SLOW),
    "a header that drips": (drips(OK + b"X: ", b"a"), FetchFailed, SLOW),
    "a status line that drips": (drips(b"HTTP/1.1 200 ", b"a"), FetchFailed, SLOW),
    "a body that drips": (drips(OK + b"Content-Length: 9000\r\n\r\n", b"x"), FetchFailed, SLOW),
    "a body without length that drips": (drips(OK + b"\r\n", b"x"), FetchFailed, SLOW),
    "chunks that drip": (drips(CHUNKED, b"1\r\nx\r\n"), FetchFailed, SLOW),
    "a chunk's length that drips": (drips(CHUNKED, b"0"), FetchFailed, f"{SLOW}|{NOT_HTTP}"),
    "a body that stops": (falls_silent(OK + b"Content-Length: 9\r\n\r\nx"), FetchFailed, SLOW),
    "a last chunk that never comes": (falls_silent(CHUNKED + b"1\r\nx\r\n"), FetchFailed, SLOW),
    "a packed body that stops": (
        falls_silent(OK + b"Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n" + PACKED[:20]),
        FetchFailed,
        SLOW,
    ),
    "informational answers that drip": (drips(b"", b"HTTP/1.1 102 Wait\r\n\r\n"), FetchFailed, SLOW),
    "a redirect that drips": (drips(b"HTTP/1.1 302 F\r\nLocation: /", b"x"), FetchFailed, SLOW),
    # Endless.
    "a body without end": (never_ends(OK + b"\r\n", bytes(4096)), PictureTooLarge, TOO_LARGE),
    "chunks without end": (
        never_ends(CHUNKED, b"400\r\n" + bytes(1024) + b"\r\n"),
        PictureTooLarge,
        TOO_LARGE,
    ),
    "headers without end": (never_ends(OK, b"X: a\r\n" * 100), FetchFailed, NOT_HTTP),
    "different headers without end": (
        never_ends(OK, b"".join(b"X-%d: a\r\n" % n for n in range(500))),
        FetchFailed,
        NOT_HTTP,
    ),
    "a header without end": (never_ends(OK + b"X: ", b"a" * 4096), FetchFailed, NOT_HTTP),
    "a header's name without end": (never_ends(OK, b"a" * 4096), FetchFailed, NOT_HTTP),
    "a status line without end": (never_ends(b"HTTP/1.1 200 ", b"a" * 4096), FetchFailed, NOT_HTTP),
    "informational answers without end": (
        never_ends(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20),
        FetchFailed,
        SLOW,
    ),
    "a chunk's extension without end": (never_ends(CHUNKED + b"1;", b"a" * 4096), FetchFailed, SLOW),
    "trailers without end": (
        never_ends(CHUNKED + b"1\r\nx\r\n0\r\n", b"T: a\r\n" * 100),
        FetchFailed,
        f"{NOT_HTTP}|{SLOW}",
    ),
    "a redirect's body without end": (
        never_ends(b"HTTP/1.1 302 F\r\nLocation: /x\r\n\r\n", bytes(4096)),
        FetchFailed,
        "redirects more than 3 times",
    ),
    "an error's body without end": (
        never_ends(b"HTTP/1.1 500 No\r\n\r\n", bytes(4096)),
        FetchFailed,
        "answered 500",
    ),
    # Bombs.
    "a gzip bomb": (sends(_bomb(31), Content_Encoding="gzip"), PictureTooLarge, TOO_LARGE),
    "an x-gzip bomb": (sends(_bomb(31), Content_Encoding="X-GZIP"), PictureTooLarge, TOO_LARGE),
    "a deflate bomb": (sends(_bomb(15), Content_Encoding="deflate"), PictureTooLarge, TOO_LARGE),
    "a bomb in chunks": (
        says(
            OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            *(b"%x\r\n%s\r\n" % (len(_bomb(31)), _bomb(31)), b"0\r\n\r\n"),
        ),
        PictureTooLarge,
        TOO_LARGE,
    ),
    "a gzip whose size field lies": (
        sends(_bomb(31)[:-4] + bytes(4), Content_Encoding="gzip"),
        PictureTooLarge,
        TOO_LARGE,
    ),
    "a bomb in a bomb": (
        sends(gzip.compress(_bomb(31)), Content_Encoding="gzip, gzip"),
        FetchFailed,
        "content encoding that was not asked for",
    ),
    "brotli": (sends(b"x", Content_Encoding="br"), FetchFailed, "not asked for"),
    "zstd": (sends(b"x", Content_Encoding="zstd"), FetchFailed, "not asked for"),
    "an encoding nobody knows": (sends(b"x", Content_Encoding="\xff" * 50), FetchFailed, "not asked for"),
    "gzip that is none": (sends(b"not gzip", Content_Encoding="gzip"), FetchFailed, "is damaged"),
    "gzip cut short": (sends(PACKED[:-9], Content_Encoding="gzip"), FetchFailed, "ends early"),
    "gzip with a wrong sum": (
        sends(PACKED[:-8] + bytes(8), Content_Encoding="gzip"),
        FetchFailed,
        "is damaged",
    ),
    "empty gzip": (sends(b"", Content_Encoding="gzip"), FetchFailed, "ends early"),
    # Lies about lengths.
    "more than it may be, honestly": (
        sends(b"", Content_Length="100001"),
        PictureTooLarge,
        "offers 100001",
    ),
    "a length of petabytes": (sends(b"", Content_Length="9" * 18), PictureTooLarge, "offers 9{18} bytes"),
    "a length beyond all numbers": (sends(b"", Content_Length="9" * 40), FetchFailed, NOT_HTTP),
    "a length of thousands of digits": (sends(b"", Content_Length="9" * 8000), FetchFailed, NOT_HTTP),
    "a negative length": (sends(b"", Content_Length="-1"), FetchFailed, NOT_HTTP),
    "a length in words": (sends(b"", Content_Length="ten"), FetchFailed, NOT_HTTP),
    "a length in hex": (sends(b"", Content_Length="0x10"), FetchFailed, NOT_HTTP),
    "less than it says": (sends(b"x", Content_Length="5000"), FetchFailed, END),
    "two lengths": (
        says(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        FetchFailed,
        NOT_HTTP,
    ),
    "a chunk longer than memory": (says(CHUNKED + b"fffffffffffffff\r\nx"), FetchFailed, NOT_HTTP),
    "a chunk longer than numbers": (says(CHUNKED + b"f" * 40 + b"\r\nx"), FetchFailed, NOT_HTTP),
    "a chunk of negative length": (says(CHUNKED + b"-1\r\nx\r\n0\r\n\r\n"), FetchFailed, NOT_HTTP),
    "a chunk of no length": (says(CHUNKED + b"zz\r\nx\r\n"), FetchFailed, NOT_HTTP),
    "a chunk that is longer than it says": (says(CHUNKED + b"1\r\nxxxxxxxx\r\n"), FetchFailed, NOT_HTTP),
    "chunks cut short": (says(CHUNKED + b"ff\r\nxxx"), FetchFailed, END),
    "a length and chunks": (
        says(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzzz"),
        FetchFailed,
        NOT_HTTP,
    ),
    # Other protocols.
    "nothing and gone": (says(b""), FetchFailed, NOT_HTTP),
    "a mail server": (says(b"220 mail ready\r\n"), FetchFailed, NOT_HTTP),
    "SSH": (says(b"SSH-2.0-OpenSSH_9.9\r\n"), FetchFailed, NOT_HTTP),
    "Redis": (says(b"-ERR unknown command 'GET'\r\n"), FetchFailed, NOT_HTTP),
    "TLS": (says(b"\x15\x03\x01\x00\x02\x02\x46"), FetchFailed, NOT_HTTP),
    "HTTP/0.9": (says(b"\x89PNG\r\n\x1a\n"), FetchFailed, NOT_HTTP),
    "HTTP/2": (says(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FetchFailed, NOT_HTTP),
    "noughts": (says(bytes(5000)), FetchFailed, NOT_HTTP),
    "a status beyond the numbers": (says(b"HTTP/1.1 99999 X\r\n\r\n"), FetchFailed, NOT_HTTP),
    "a status in words": (says(b"HTTP/1.1 OK\r\n\r\n"), FetchFailed, NOT_HTTP),
    "a nought in a header": (says(OK + b"X: a\0b\r\n\r\n"), FetchFailed, NOT_HTTP),
    "a header without a colon": (says(OK + b"X\r\nContent-Length: 0\r\n\r\n"), FetchFailed, NOT_HTTP),
    "a body nobody announced, after an upgrade": (
        says(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        FetchFailed,
        "answered 101",
    ),
    # Redirects.
    "a redirect to itself": (redirects("/picture.png"), FetchFailed, "redirects more than 3 times"),
    "redirects without end": (redirects("/{n}", "308 Moved"), FetchFailed, "redirects more than 3 times"),
    "a redirect to nowhere": (sends(b"", "302 Found"), FetchFailed, "without saying where"),
    "a redirect to nothing": (redirects(" "), FetchFailed, "without saying where"),
    "a redirect that drops the port": (redirects("http://127.0.0.1/"), FetchRefused, "port 80 is not one"),
    "a redirect with credentials": (redirects("http://a:b@127.0.0.1/"), FetchRefused, "credentials|port"),
    # Answers that are no picture.
    "204": (sends(b"", "204 No Content"), FetchFailed, "answered 204"),
    "206": (sends(b"x", "206 Partial Content"), FetchFailed, "answered 206"),
    "300": (sends(b"x", "300 Multiple"), FetchFailed, "answered 300"),
    "304": (sends(b"", "304 Not Modified"), FetchFailed, "answered 304"),
    "401": (sends(b"x", "401 Who", WWW_Authenticate="Basic"), FetchFailed, "answered 401"),
    "404": (sends(b"x", "404 Gone"), FetchFailed, "answered 404"),
    "407": (sends(b"x", "407 Proxy", Proxy_Authenticate="Basic"), FetchFailed, "answered 407"),
    "429 for a century": (sends(b"", "429 Much", Retry_After="3153600000"), FetchFailed, "answered 429"),
    "999": (sends(b"x", "999 No"), FetchFailed, "answered 999"),
}
