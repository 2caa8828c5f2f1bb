"""Asking a server again: only for what is new, and only when it wants to be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from streamproc.errors import FetchFailed
from streamproc.vision.fetching.conditions import retry_after_s
from streamproc.vision.fetching.fetch import Fetched, Fetcher, FetchLimits, NotModified
from tests.vision.http_server import Request, Server, http_server

PICTURE = b"\x89PNG picture"
CHANGED = "Sat, 21 Nov 2026 13:00:00 GMT"


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(FetchLimits(allow_private=True, per_host_rate=1e6))
    yield fetcher
    await fetcher.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Has one version of one picture, at /picture and where /moved leads."""

    async def answer(request: Request) -> None:
        if request.path == "/moved":
            await request.reply(status="302 Found", Location="/picture")
        elif request.headers.get("If-None-Match") == '"7"' or "If-Modified-Since" in request.headers:
            await request.reply(status="304 Not Modified")
        else:
            await request.reply(PICTURE, ETag='"7"', Last_Modified=CHANGED)

    async with http_server(answer) as running:
        yield running


async def test_the_marks_of_a_version_come_with_the_picture(fetcher: Fetcher, server: Server) -> None:
    answer = await fetcher.fetch(server.url("/picture"))
    assert isinstance(answer, Fetched)
    assert (answer.data, answer.etag, answer.last_modified) == (PICTURE, '"7"', CHANGED)


async def test_a_picture_that_did_not_change_is_not_sent_again(fetcher: Fetcher, server: Server) -> None:
    url = server.url("/picture")
    assert isinstance(await fetcher.fetch(url, etag='"7"'), NotModified)
    assert isinstance(await fetcher.fetch(url, last_modified=CHANGED), NotModified)
    assert server.requests[-1].headers["If-Modified-Since"] == CHANGED
    answer = await fetcher.fetch(url, etag='"6"')
    assert isinstance(answer, Fetched)
    assert answer.data == PICTURE


async def test_marks_do_not_cross_a_redirect_for_it_may_lead_elsewhere_next_time(
    fetcher: Fetcher, server: Server
) -> None:
    answer = await fetcher.fetch(server.url("/moved"), etag='"7"', last_modified=CHANGED)
    assert isinstance(answer, Fetched), "the picture at the other end may be another one with such a mark"
    assert (answer.data, answer.etag, answer.last_modified) == (PICTURE, None, None)
    assert "If-None-Match" not in server.requests[-1].headers


async def test_not_modified_without_being_asked_is_a_failure(fetcher: Fetcher) -> None:
    async def answer(request: Request) -> None:
        assert "If-None-Match" not in request.headers
        await request.reply(status="304 Not Modified")

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match="answered 304"):
            await fetcher.fetch(server.url())


@pytest.mark.parametrize("mark", ['"' + "a" * 300 + '"', '"caf\xe9"', '"tab\there"'])
async def test_a_mark_that_cannot_be_sent_back_is_not_kept(fetcher: Fetcher, mark: str) -> None:
    async def answer(request: Request) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: {mark}\r\nLast-Modified: {mark}\r\n\r\nx"
        await request.send(head.encode("latin-1"))

    async with http_server(answer) as server:
        fetched = await fetcher.fetch(server.url())
        assert isinstance(fetched, Fetched)
        assert (fetched.etag, fetched.last_modified) == (None, None)
        # Nor is one sent that a cache was made to keep.
        await fetcher.fetch(server.url(), etag=mark, last_modified="a\r\nX-Evil: b")
        assert {"If-None-Match", "If-Modified-Since", "X-Evil"}.isdisjoint(server.requests[-1].headers)


def _in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("wish", "least", "most"),
    [
        ("120", 120, 120),
        ("0", 0, 0),
        ("9" * 30, 1e20, 1e31),
        ("Sat, 21 Nov 2020 13:00:00", 0, 0),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(wish: str, least: float, most: float) -> None:
    seconds = retry_after_s({"Retry-After": wish})
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize(("ahead", "least", "most"), [(600, 500, 600), (-600, 0, 0)])
def test_retry_after_as_a_date_counts_from_now(ahead: float, least: float, most: float) -> None:
    seconds = retry_after_s({"Retry-After": _in(ahead)})
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize(
    "wish", ["", "soon", "-5", "1.5", "\u0661", "Sat, 99 Nov 2026", "Sat, 21 Nov 99999 25:61:61 GMT"]
)
def test_a_retry_after_that_says_nothing_is_none(wish: str) -> None:
    assert retry_after_s({"Retry-After": wish}) is None
    assert retry_after_s({}) is None


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_a_host_that_asks_for_it_is_left_alone_and_for_no_longer_than_an_hour(
    fetcher: Fetcher, status: str
) -> None:
    async def answer(request: Request) -> None:
        await request.reply(status=status, Retry_After="86400")

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match=f"answered {status[:3]}$") as failed:
            await fetcher.fetch(server.url("/1"))
        assert failed.value.retry_after_s == 3600
        with pytest.raises(FetchFailed, match=r"^127\.0\.0\.1 is left alone for 3600 s$") as again:
            await fetcher.fetch(server.url("/2"))
        assert again.value.retry_after_s == pytest.approx(3600, abs=60)
    assert server.paths == ["/1"]


@pytest.mark.parametrize(
    ("status", "wish"), [("429 Too Many", ""), ("503 Away", "soon"), ("500 Oops", "60"), ("404 Gone", "60")]
)
async def test_other_failures_keep_nobody_from_asking(fetcher: Fetcher, status: str, wish: str) -> None:
    async def answer(request: Request) -> None:
        await request.reply(status=status, Retry_After=wish)

    async with http_server(answer) as server:
        for path in ("/1", "/2"):
            with pytest.raises(FetchFailed, match=f"answered {status[:3]}$") as failed:
                await fetcher.fetch(server.url(path))
            assert failed.value.retry_after_s is None
    assert server.paths == ["/1", "/2"]


async def test_a_redirect_to_a_host_that_is_left_alone_does_not_reach_it(fetcher: Fetcher) -> None:
    async def answer(request: Request) -> None:
        if request.headers["Host"].startswith("127.0.0.1"):
            await request.reply(status="503 Away", Retry_After="60")
        else:
            await request.reply(status="302 Found", Location=server.url("/behind"))

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match="answered 503"):
            await fetcher.fetch(server.url("/1"))
        with pytest.raises(FetchFailed, match=r"^127\.0\.0\.1 is left alone"):
            await fetcher.fetch(server.url("/2", host="localhost"))
    assert server.paths == ["/1", "/2"]


async def test_the_operator_says_who_asks(server: Server) -> None:
    fetcher = Fetcher(FetchLimits(allow_private=True), user_agent="lab/1 (+https://lab.example/bot)")
    await fetcher.fetch(server.url("/picture"))
    await fetcher.close()
    assert server.requests[0].headers["User-Agent"] == "lab/1 (+https://lab.example/bot)"
