"""A look gives what can be had, says why the rest is missing, and looks at no picture twice."""

from __future__ import annotations

import asyncio

import pytest

from streamproc.vision.cache import MemoryCache, RedisCache, open_cache
from streamproc.vision.decode import DecodeLimits
from streamproc.vision.fetch import Fetcher
from streamproc.vision.look import Looker
from streamproc.vision.visuals import Missing, Seen
from tests.vision.conftest import LARGE, SMALL, MakeLooker
from tests.vision.extractors import SizeExtractor, size_text
from tests.vision.http_server import Server
from tests.vision.pictures import data_url, png_that_claims


async def test_one_value_for_each_picture_in_the_order_of_the_post(make_looker: MakeLooker) -> None:
    looker = make_looker(SizeExtractor())
    seen = await looker.look([data_url(LARGE), data_url(SMALL)], ["ocr"])
    assert seen == {"ocr": Seen((size_text(30, 40), size_text(10, 20)))}


async def test_a_post_without_pictures_has_nothing_to_see(make_looker: MakeLooker) -> None:
    assert await make_looker(SizeExtractor()).look([], ["ocr", "grid"]) == {
        "ocr": Missing("absent"),
        "grid": Missing("absent"),
    }


async def test_a_modality_that_nobody_looks_for_is_unavailable_and_costs_no_fetch(
    make_looker: MakeLooker, server: Server
) -> None:
    looker = make_looker(SizeExtractor("ocr"))
    assert await looker.look([server.url()], ["captions"]) == {
        "captions": Missing("skipped", "no extractor")
    }
    assert server.requests == []


async def test_every_wanted_modality_is_looked_at_and_the_picture_fetched_once(
    make_looker: MakeLooker, server: Server
) -> None:
    ocr, captions, grid = (SizeExtractor(m) for m in ("ocr", "captions", "grid"))
    looker = make_looker(ocr, captions, grid)
    seen = await looker.look([server.url()], ["ocr", "captions"])
    assert seen == dict.fromkeys(["ocr", "captions"], Seen((size_text(10, 20),)))
    assert len(server.requests) == 1
    assert grid.digests == []


async def test_only_the_first_pictures_of_a_post_are_looked_at(
    make_looker: MakeLooker, server: Server
) -> None:
    looker = make_looker(SizeExtractor(), max_pictures=2)
    seen = await looker.look([server.url(f"/{n}") for n in range(5)], ["ocr"])
    assert seen == {"ocr": Seen((size_text(10, 20), size_text(10, 20)))}
    assert sorted(server.paths) == ["/0", "/1"]


# -- looked at once ------------------------------------------------------------------------


async def test_a_hundred_looks_at_one_url_are_one_fetch_and_one_extraction(
    make_looker: MakeLooker, server: Server
) -> None:
    ocr = SizeExtractor()
    ocr.gate.clear()
    looker = make_looker(ocr)
    looks = [asyncio.create_task(looker.look([server.url()], ["ocr"])) for _ in range(100)]
    await ocr.begun.wait()
    ocr.gate.set()
    assert await asyncio.gather(*looks) == [{"ocr": Seen((size_text(10, 20),))}] * 100
    assert (len(server.requests), len(ocr.digests)) == (1, 1)
    assert (looker.counts.fetched, looker.counts.extracted, looker.counts.shared) == (1, 1, 99)
    assert looker.counts.fetched_bytes == len(SMALL)


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_the_same_bytes_behind_a_hundred_urls_are_one_extraction(
    make_looker: MakeLooker, server: Server, redis_url: str, kind: str
) -> None:
    ocr = SizeExtractor(version=f"{kind}-{id(server)}")
    looker = make_looker(ocr, cache=open_cache(redis_url if kind == "redis" else None))
    looks = (looker.look([server.url(f"/{n}")], ["ocr"]) for n in range(100))
    assert await asyncio.gather(*looks) == [{"ocr": Seen((size_text(10, 20),))}] * 100
    assert (len(server.requests), len(ocr.digests)) == (100, 1)
    assert looker.counts.remembered + looker.counts.shared == 99


async def test_a_later_look_finds_the_value_in_the_cache(make_looker: MakeLooker) -> None:
    ocr, captions = SizeExtractor("ocr"), SizeExtractor("captions")
    looker = make_looker(ocr, captions)
    await looker.look([data_url(SMALL)], ["ocr"])
    await looker.look([data_url(SMALL) + "="], ["ocr", "captions"])
    assert (len(ocr.digests), len(captions.digests)) == (1, 1)
    assert (looker.counts.remembered, looker.counts.extracted) == (1, 2)


async def test_another_version_of_an_extractor_looks_anew(make_looker: MakeLooker) -> None:
    cache = MemoryCache(1_000_000)
    for version in ("1", "2"):
        ocr = SizeExtractor(version=version)
        await make_looker(ocr, cache=cache).look([data_url(SMALL)], ["ocr"])
        assert len(ocr.digests) == 1


async def test_who_is_cancelled_does_not_take_the_picture_from_the_others(
    make_looker: MakeLooker, server: Server
) -> None:
    ocr = SizeExtractor()
    ocr.gate.clear()
    looker = make_looker(ocr)
    first = asyncio.create_task(looker.look([server.url("/a")], ["ocr"]))
    await ocr.begun.wait()
    same_url = asyncio.create_task(looker.look([server.url("/a")], ["ocr"]))
    same_bytes = asyncio.create_task(looker.look([server.url("/b")], ["ocr"]))
    while looker.counts.shared < 2:
        await asyncio.sleep(0.001)
    first.cancel()
    same_url.cancel()
    await asyncio.wait([first, same_url])
    ocr.gate.set()
    assert await same_bytes == {"ocr": Seen((size_text(10, 20),))}
    assert first.cancelled()
    assert len(ocr.digests) == 1


async def test_a_look_that_nobody_waits_for_any_more_gives_its_turn_to_the_next(
    make_looker: MakeLooker,
) -> None:
    ocr = SizeExtractor()
    ocr.gate.clear()
    looker = make_looker(ocr, concurrency=1)
    first = asyncio.create_task(looker.look([data_url(SMALL)], ["ocr"]))
    await ocr.begun.wait()
    second = asyncio.create_task(looker.look([data_url(LARGE)], ["ocr"]))
    first.cancel()
    await asyncio.wait([first])
    ocr.gate.set()
    assert await second == {"ocr": Seen((size_text(30, 40),))}


async def test_as_many_pictures_as_allowed_are_in_hand_at_once(
    make_looker: MakeLooker, server: Server
) -> None:
    ocr = SizeExtractor()
    ocr.gate.clear()
    looker = make_looker(ocr, concurrency=1)
    looks = [asyncio.create_task(looker.look([server.url(f"/{n}")], ["ocr"])) for n in range(5)]
    await ocr.begun.wait()
    assert len(server.requests) == 1
    ocr.gate.set()
    await asyncio.gather(*looks)
    assert len(server.requests) == 5


# -- pictures that cannot be had -----------------------------------------------------------


async def test_pictures_that_fail_do_not_take_the_others_with_them(
    make_looker: MakeLooker, server: Server
) -> None:
    looker = make_looker(SizeExtractor())
    urls = [server.url("/gone"), server.url("/fine"), server.url("/broken"), "http://["]
    assert await looker.look(urls, ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}
    assert looker.counts.failed == 3


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("{gone}", "fetch failed: 127.0.0.1 answered 404"),
        (
            "file:///etc/hosts",
            "fetch refused: file: pictures are read only below a folder that the command names",
        ),
        (
            data_url(bytes(100_001)),
            "picture too large: the data: URL holds 100001 bytes, the limit is 100000",
        ),
        (data_url(b"<html>"), "cannot be decoded: expected JPEG, PNG, GIF, WEBP, BMP, found an HTML page"),
        (
            data_url(png_that_claims(90, 50)),
            "picture too large: 90 x 50 pixels, the limits are 4000 pixels",
        ),
    ],
)
async def test_when_no_picture_can_be_had_the_first_says_why(
    make_looker: MakeLooker, server: Server, url: str, reason: str
) -> None:
    looker = make_looker(SizeExtractor(), decode_limits=DecodeLimits(max_pixels=4000))
    url = url.replace("{gone}", server.url("/gone"))
    seen = (await looker.look([url, "ftp://later"], ["ocr"]))["ocr"]
    assert isinstance(seen, Missing)
    assert seen.status == "unavailable"
    assert seen.reason is not None
    assert seen.reason.startswith(reason)


async def test_a_failure_is_not_tried_again_until_its_time_is_over(
    make_looker: MakeLooker, server: Server
) -> None:
    looker, forgetful = make_looker(SizeExtractor()), make_looker(SizeExtractor(), failure_ttl_s=0)
    for _ in range(3):
        await looker.look([server.url("/gone")], ["ocr"])
    assert len(server.requests) == 1
    for _ in range(3):
        await forgetful.look([server.url("/gone")], ["ocr"])
    assert len(server.requests) == 4


async def test_bytes_that_cannot_be_decoded_are_not_decoded_again_behind_another_url(
    make_looker: MakeLooker, server: Server
) -> None:
    looker = make_looker(SizeExtractor())
    for name in "ab":
        seen = await looker.look([server.url(f"/broken-{name}")], ["ocr"])
        assert isinstance(seen["ocr"], Missing)
    assert (looker.counts.fetched, looker.counts.failed) == (2, 1)


async def test_one_extractor_away_leaves_the_others_and_is_asked_again(make_looker: MakeLooker) -> None:
    ocr, captions = SizeExtractor("ocr"), SizeExtractor("captions")
    ocr.away = True
    looker = make_looker(ocr, captions)
    seen = await looker.look([data_url(SMALL)], ["ocr", "captions"])
    assert seen["ocr"] == Missing("unavailable", "extractor unavailable: the server is away")
    assert seen["captions"] == Seen((size_text(10, 20),))
    ocr.away = False
    assert await looker.look([data_url(SMALL)], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}


async def test_a_look_ends_at_its_deadline_and_the_next_has_its_turn(make_looker: MakeLooker) -> None:
    ocr = SizeExtractor()
    ocr.gate.clear()
    looker = make_looker(ocr, concurrency=1, deadline_s=0.2)
    assert await looker.look([data_url(SMALL)], ["ocr"]) == {
        "ocr": Missing("unavailable", "extractor unavailable: looking took longer than 0.2 s")
    }
    ocr.gate.set()
    assert await looker.look([data_url(SMALL)], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}


async def test_without_redis_pictures_are_looked_at_all_the_same(make_looker: MakeLooker) -> None:
    cache = open_cache("redis://127.0.0.1:1/0")
    assert isinstance(cache, RedisCache)
    looker = make_looker(SizeExtractor(), cache=cache)
    for _ in range(2):
        assert await looker.look([data_url(SMALL)], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}


async def test_close_closes_the_parts_and_ends_looks_under_way() -> None:
    ocr = SizeExtractor()
    ocr.gate.clear()
    looker = Looker(Fetcher(), MemoryCache(1000), {"ocr": ocr})
    look = asyncio.create_task(looker.look([data_url(SMALL)], ["ocr"]))
    await ocr.begun.wait()
    await looker.close()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert ocr.closed
