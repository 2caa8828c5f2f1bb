"""Fetching over HTTP from servers that lie, stall, redirect and never end."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address

import pytest

from streamproc.errors import FetchFailed, FetchRefused, PictureTooLarge
from streamproc.vision.fetching.addresses import is_public
from streamproc.vision.fetching.fetch import Fetched, Fetcher, FetchLimits
from tests.vision.http_server import Request, http_server

HERE = ip_address("127.0.0.1")
PICTURE = b"\x89PNG picture" * 100


@pytest.fixture
async def make_fetcher() -> AsyncIterator[Callable[..., Fetcher]]:
    """A fetcher that permits the test's own server besides public addresses, and nothing else."""
    made: list[Fetcher] = []

    def make(port: int, **limits: object) -> Fetcher:
        limits = {"max_bytes": 100_000, "ports": frozenset({port}), "per_host_rate": 1e6} | limits
        fetcher = Fetcher(
            FetchLimits(**limits),  # type: ignore[arg-type]
            permits=lambda address: address == HERE or is_public(address),
        )
        made.append(fetcher)
        return fetcher

    yield make
    for fetcher in made:
        await fetcher.close()


MakeFetcher = Callable[..., Fetcher]


async def picture(fetcher: Fetcher, url: str) -> bytes:
    """The file, where nothing was known before."""
    answer = await fetcher.fetch(url)
    assert isinstance(answer, Fetched)
    return answer.data


async def test_the_picture_comes_as_it_is_and_the_server_learns_who_asks(make_fetcher: MakeFetcher) -> None:
    async def answer(request: Request) -> None:
        await request.reply(PICTURE, Set_Cookie="a=b")

    async with http_server(answer) as server:
        assert await picture(make_fetcher(server.port), server.url()) == PICTURE
        (request,) = server.requests
    assert request.headers["User-Agent"].startswith("streamproc/")
    assert request.headers["Accept-Encoding"] == "identity"


async def test_redirects_are_followed_as_far_as_the_limit(make_fetcher: MakeFetcher) -> None:
    async def answer(request: Request) -> None:
        hop = int(request.path.strip("/"))
        if hop:
            await request.reply(status="302 Found", Location=f"/{hop - 1}")
        else:
            await request.reply(PICTURE)

    async with http_server(answer) as server:
        fetcher = make_fetcher(server.port)
        assert await picture(fetcher, server.url("/3")) == PICTURE
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 redirects more than 3 times"):
            await fetcher.fetch(server.url("/4"))
    assert server.paths == ["/3", "/2", "/1", "/0", "/4", "/3", "/2", "/1"]


@pytest.mark.parametrize(
    "target",
    [
        *("http://127.0.0.2:{port}/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/"),
        *("//[::1]:{port}/", "http://2130706433:{port}/", "http://127.0.0.1:1/", "http://localhost:22/"),
        *(
            "file:///etc/passwd",
            "data:,x",
            "ftp://127.0.0.1/",
            "http://me:pass@127.0.0.1:{port}/",
            "http://[",
        ),
    ],
)
async def test_a_redirect_to_what_is_not_fetched_is_refused(make_fetcher: MakeFetcher, target: str) -> None:
    async def answer(request: Request) -> None:
        await request.reply(status="301 Moved", Location=target.format(port=server.port))

    async with http_server(answer) as server:
        with pytest.raises(FetchRefused):
            await make_fetcher(server.port).fetch(server.url())
        assert len(server.requests) == 1


async def test_a_redirect_without_a_target_fails(make_fetcher: MakeFetcher) -> None:
    async def answer(request: Request) -> None:
        await request.reply(status="302 Found")

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match="without saying where"):
            await make_fetcher(server.port).fetch(server.url())


@pytest.mark.parametrize(
    "status", ["404 Not Found", "403 Forbidden", "500 Oops", "204 No Content", "304 Same"]
)
async def test_an_answer_other_than_200_fails_with_its_number(
    make_fetcher: MakeFetcher, status: str
) -> None:
    async def answer(request: Request) -> None:
        await request.reply(status=status)

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match=rf"^127\.0\.0\.1 answered {status[:3]}$"):
            await make_fetcher(server.port).fetch(server.url())


async def test_an_honest_length_above_the_limit_is_refused_without_reading(
    make_fetcher: MakeFetcher,
) -> None:
    async def answer(request: Request) -> None:
        await request.reply(Content_Length="100001")

    async with http_server(answer) as server:
        with pytest.raises(PictureTooLarge, match="offers 100001 bytes, the limit is 100000"):
            await make_fetcher(server.port).fetch(server.url())


async def test_a_body_without_end_is_cut_at_the_limit(make_fetcher: MakeFetcher) -> None:
    hung_up = asyncio.Event()

    async def answer(request: Request) -> None:
        await request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                await request.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        except ConnectionError:
            hung_up.set()
            raise

    async with http_server(answer) as server:
        with pytest.raises(PictureTooLarge, match="more than 100000 bytes"):
            await make_fetcher(server.port).fetch(server.url())
        await asyncio.wait_for(hung_up.wait(), 10)


async def test_bytes_beyond_the_length_are_never_part_of_the_picture(make_fetcher: MakeFetcher) -> None:
    async def answer(request: Request) -> None:
        await request.reply(PICTURE + b"x" * 200_000, Content_Length=str(len(PICTURE)))

    async with http_server(answer) as server:
        try:
            fetched = await picture(make_fetcher(server.port), server.url())
        except FetchFailed:
            return  # they came together with the others and broke the protocol
        assert fetched == PICTURE


async def test_a_body_shorter_than_its_length_fails(make_fetcher: MakeFetcher) -> None:
    async def answer(request: Request) -> None:
        await request.reply(PICTURE, Content_Length="50000")

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match="the body ends early"):
            await make_fetcher(server.port).fetch(server.url())


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
async def test_a_packed_body_is_unpacked(
    make_fetcher: MakeFetcher, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    async def answer(request: Request) -> None:
        await request.reply(pack(PICTURE), Content_Encoding=encoding)

    async with http_server(answer) as server:
        assert await picture(make_fetcher(server.port), server.url()) == PICTURE


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_unpacked_no_further_than_the_limit(
    make_fetcher: MakeFetcher, encoding: str
) -> None:
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(64)) + packer.flush()
    assert len(bomb) < 100_000

    async def answer(request: Request) -> None:
        await request.reply(bomb, Content_Encoding=encoding)

    async with http_server(answer) as server:
        with pytest.raises(PictureTooLarge, match="more than 100000 bytes"):
            await make_fetcher(server.port).fetch(server.url())


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("gzip", gzip.compress(PICTURE)[:-12], "ends early"),
        ("gzip", b"not gzip at all", "is damaged"),
        ("br", b"x", "content encoding that was not asked for"),
        ("gzip, gzip", b"x", "content encoding that was not asked for"),
    ],
)
async def test_a_packed_body_that_cannot_be_unpacked_fails(
    make_fetcher: MakeFetcher, encoding: str, body: bytes, reason: str
) -> None:
    async def answer(request: Request) -> None:
        await request.reply(body, Content_Encoding=encoding)

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match=reason):
            await make_fetcher(server.port).fetch(server.url())


async def test_a_server_that_is_slow_to_its_first_byte_is_given_up(make_fetcher: MakeFetcher) -> None:
    over = asyncio.Event()

    async def answer(request: Request) -> None:
        await over.wait()

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 did not answer in 0\.1 s"):
            await make_fetcher(server.port, first_byte_s=0.1).fetch(server.url())
        over.set()


async def test_a_server_that_drips_is_given_up_when_the_whole_time_is_over(
    make_fetcher: MakeFetcher,
) -> None:
    over = asyncio.Event()

    async def answer(request: Request) -> None:
        await request.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await over.wait()

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 took longer than 0\.2 s"):
            await make_fetcher(server.port, total_s=0.2).fetch(server.url())
        over.set()


@pytest.mark.parametrize(
    "answer_bytes", [b"", b"220 mail ready\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"]
)
async def test_what_is_not_http_fails(make_fetcher: MakeFetcher, answer_bytes: bytes) -> None:
    async def answer(request: Request) -> None:
        await request.send(answer_bytes)

    async with http_server(answer) as server:
        with pytest.raises(FetchFailed, match=r"^127\.0\.0\.1: "):
            await make_fetcher(server.port).fetch(server.url())


async def test_nobody_listening_fails_with_the_reason_and_without_the_query(
    make_fetcher: MakeFetcher,
) -> None:
    async def answer(request: Request) -> None:
        raise AssertionError

    async with http_server(answer) as server:
        url = server.url("/x?token=secret")
    with pytest.raises(FetchFailed, match=r"^127\.0\.0\.1: cannot connect") as failed:
        await make_fetcher(server.port).fetch(url)
    assert "secret" not in str(failed.value)


async def test_one_host_is_asked_only_so_often_at_once(make_fetcher: MakeFetcher) -> None:
    at_once, most, full = 0, 0, asyncio.Event()

    async def answer(request: Request) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == 2:
            full.set()
        await full.wait()
        at_once -= 1
        await request.reply(PICTURE)

    async with http_server(answer) as server:
        fetcher = make_fetcher(server.port, per_host=2)
        fetched = await asyncio.gather(*(picture(fetcher, server.url(f"/{n}")) for n in range(8)))
    assert fetched == [PICTURE] * 8
    assert most == 2
