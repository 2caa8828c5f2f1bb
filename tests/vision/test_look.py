"""A look gives what can be had, says why the rest is missing, and looks at no picture twice."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from streamproc.errors import ExtractorAway
from streamproc.vision.api import Extracted, Picture, UrlEntry
from streamproc.vision.cache import open_cache
from streamproc.vision.fetching.fetch import Fetcher
from streamproc.vision.sandbox.decode import DecodeLimits, digest_of
from streamproc.vision.visuals import Missing, Modality, OcrLine, OcrText, Seen, Value
from tests.vision.conftest import LARGE, SMALL, MakeLooker
from tests.vision.extractors import SizeExtractor, size_text
from tests.vision.http_server import Request, Server, http_server
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
    assert (
        looker.pictures.counts.fetched,
        looker.pictures.counts.extracted,
        looker.pictures.counts.shared,
    ) == (1, 1, 99)
    assert looker.pictures.counts.fetched_bytes == len(SMALL)


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_the_same_bytes_behind_a_hundred_urls_are_one_extraction(
    make_looker: MakeLooker, server: Server, redis_url: str, kind: str
) -> None:
    ocr = SizeExtractor(version=f"{kind}-{id(server)}")
    looker = make_looker(ocr, cache=open_cache(redis_url if kind == "redis" else None))
    looks = (looker.look([server.url(f"/{n}")], ["ocr"]) for n in range(100))
    assert await asyncio.gather(*looks) == [{"ocr": Seen((size_text(10, 20),))}] * 100
    assert (len(server.requests), len(ocr.digests)) == (100, 1)
    assert looker.pictures.counts.remembered + looker.pictures.counts.shared == 99


async def test_a_later_look_finds_the_value_in_the_cache(make_looker: MakeLooker) -> None:
    ocr, captions = SizeExtractor("ocr"), SizeExtractor("captions")
    looker = make_looker(ocr, captions)
    await looker.look([data_url(SMALL)], ["ocr"])
    await looker.look([data_url(SMALL) + "="], ["ocr", "captions"])
    assert (len(ocr.digests), len(captions.digests)) == (1, 1)
    assert (looker.pictures.counts.remembered, looker.pictures.counts.extracted) == (1, 2)


async def test_another_version_of_an_extractor_looks_anew(make_looker: MakeLooker) -> None:
    cache = open_cache(None)
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
    while looker.pictures.counts.shared < 2:
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
    assert looker.pictures.counts.failed == 3


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
    looker, forgetful = make_looker(SizeExtractor()), make_looker(SizeExtractor(), url_ttl_s=0)
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
    assert (looker.pictures.counts.fetched, looker.pictures.counts.failed) == (2, 1)


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
    looker = make_looker(SizeExtractor(), cache=cache)
    for _ in range(2):
        assert await looker.look([data_url(SMALL)], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}
    assert cache.counts.away


async def test_close_closes_the_parts_and_ends_looks_under_way(make_looker: MakeLooker) -> None:
    ocr = SizeExtractor()
    ocr.gate.clear()
    looker = make_looker(ocr)
    look = asyncio.create_task(looker.look([data_url(SMALL)], ["ocr"]))
    await ocr.begun.wait()
    await looker.close()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert ocr.closed


# -- what is known of a URL ----------------------------------------------------------------


async def test_a_known_url_is_not_fetched_again(make_looker: MakeLooker, server: Server) -> None:
    ocr = SizeExtractor()
    looker = make_looker(ocr)
    for _ in range(3):
        assert await looker.look([server.url()], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}
    assert (len(server.requests), len(ocr.digests)) == (1, 1)
    assert looker.pictures.counts.remembered == 2


async def test_after_its_time_the_server_is_asked_whether_the_picture_is_the_same(
    make_looker: MakeLooker,
) -> None:
    asked: list[str] = []

    async def answer(request: Request) -> None:
        asked.append(request.headers.get("If-None-Match", ""))
        if asked[-1] == '"one"':
            await request.reply(status="304 Not Modified", ETag='"one"')
        else:
            await request.reply(SMALL, ETag='"one"')

    ocr = SizeExtractor()
    looker = make_looker(ocr, url_ttl_s=0)
    async with http_server(answer) as server:
        for _ in range(3):
            assert await looker.look([server.url()], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}
    assert asked == ["", '"one"', '"one"']
    assert (looker.pictures.counts.fetched, looker.pictures.counts.unchanged, len(ocr.digests)) == (1, 2, 1)


async def test_a_url_that_leads_to_another_picture_now_is_looked_at_anew(make_looker: MakeLooker) -> None:
    pictures = [SMALL, LARGE]

    async def answer(request: Request) -> None:
        await request.reply(pictures.pop(0))

    looker = make_looker(SizeExtractor(), url_ttl_s=0)
    async with http_server(answer) as server:
        seen = [(await looker.look([server.url()], ["ocr"]))["ocr"] for _ in range(2)]
    assert seen == [Seen((size_text(10, 20),)), Seen((size_text(30, 40),))]


async def test_where_a_file_or_data_url_leads_is_not_remembered(make_looker: MakeLooker) -> None:
    cache = open_cache(None)
    looker = make_looker(SizeExtractor(), cache=cache)
    url = data_url(SMALL)
    await cache.put_url(url, UrlEntry(checked=4e9, digest="0" * 64))
    assert await looker.look([url], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}


# -- extractors that come and go -----------------------------------------------------------


async def test_nothing_is_fetched_for_an_extractor_that_is_known_to_be_away(
    make_looker: MakeLooker, server: Server
) -> None:
    ocr = SizeExtractor()
    ocr.known_away = True
    looker = make_looker(ocr)
    away = "extractor unavailable: the server is away"
    assert await looker.look([server.url()], ["ocr"]) == {"ocr": Missing("unavailable", away, away)}
    assert server.requests == []


class AwayForSmall(SizeExtractor):
    """Cannot be asked about small pictures."""

    async def extract(self, picture: Picture) -> Extracted:
        if picture.height == 20:
            raise ExtractorAway("no room")
        return await super().extract(picture)


async def test_of_several_pictures_one_that_nobody_can_look_at_now_is_told(make_looker: MakeLooker) -> None:
    seen = await make_looker(AwayForSmall()).look([data_url(LARGE), data_url(SMALL)], ["ocr"])
    assert seen["ocr"] == Seen((size_text(30, 40),), away="extractor unavailable: no room")


async def test_what_is_remembered_is_seen_also_while_the_extractor_is_away(
    make_looker: MakeLooker, server: Server
) -> None:
    ocr = SizeExtractor()
    looker = make_looker(ocr)
    await looker.look([server.url()], ["ocr"])
    ocr.known_away = True
    assert await looker.look([server.url()], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}


async def test_an_extractor_of_unknown_version_is_unavailable_and_the_others_look(
    make_looker: MakeLooker,
) -> None:
    ocr, captions = SizeExtractor("ocr"), SizeExtractor("captions")
    ocr.versions.clear()
    seen = await make_looker(ocr, captions).look([data_url(SMALL)], ["ocr", "captions"])
    assert seen["ocr"] == Missing("unavailable", "extractor unavailable: nobody has answered yet")
    assert seen["captions"] == Seen((size_text(10, 20),))


async def test_a_value_is_remembered_under_the_version_that_gave_it(
    make_looker: MakeLooker, server: Server
) -> None:
    ocr = SizeExtractor(version="old")
    ocr.versions.append("new")  # the server was updated, and its answer is the first to say so
    looker = make_looker(ocr)
    await looker.look([server.url()], ["ocr"])
    ocr.versions.remove("old")
    await looker.look([server.url()], ["ocr"])
    assert len(ocr.digests) == 1


async def test_of_two_extractors_of_a_modality_the_one_with_the_right_width_looks(
    make_looker: MakeLooker,
) -> None:
    wide = SizeExtractor("global", width=2048)
    narrow = SizeExtractor("global", name="global_inception", width=1024)
    looker = make_looker(wide, narrow)
    await looker.look([data_url(SMALL)], ["global"], widths={"global": 1024})
    assert (len(wide.digests), len(narrow.digests)) == (0, 1)
    assert set(looker.sees({"global": 1024})) == {"global"}
    assert set(looker.sees({"global": 7})) == set()


async def test_two_workers_that_share_a_redis_look_at_a_picture_once(
    make_looker: MakeLooker, server: Server, redis_url: str
) -> None:
    version = f"two-workers-{server.url()}"
    extractors = [SizeExtractor(version=version) for _ in range(2)]
    lookers = [make_looker(ocr, cache=open_cache(redis_url)) for ocr in extractors]
    looks = (looker.look([server.url(f"/{n}")], ["ocr"]) for n in range(20) for looker in lookers)
    assert await asyncio.gather(*looks) == [{"ocr": Seen((size_text(10, 20),))}] * 40
    assert sum(len(ocr.digests) for ocr in extractors) == 1


# -- what a cache may hold, and what is told to others --------------------------------------


@pytest.mark.parametrize(
    ("modality", "value"),
    [
        ("ocr", "no OcrText"),
        ("ocr", OcrText((OcrLine("x", 1.0, (-5.0, 0.0, 1e300, 1.0)),))),
        ("grid", np.full((49, 4), np.nan, np.float16)),
        ("grid", np.zeros((3, 7), np.float16)),
    ],
)
async def test_a_remembered_value_that_no_model_can_rely_on_is_looked_at_anew(
    make_looker: MakeLooker, server: Server, modality: Modality, value: Value
) -> None:
    cache = open_cache(None)
    seer = SizeExtractor(modality)
    looker = make_looker(seer, cache=cache)
    name = f"{modality}:1:in threads"
    await cache.put(digest_of(SMALL), name, value)
    await cache.put(digest_of(SMALL), "opened:in threads", "no failure at all")
    assert await looker.look([server.url()], [modality]) == {modality: Seen((size_text(10, 20),))}
    assert (await cache.get(digest_of(SMALL), [name]))[name] == size_text(10, 20)


async def test_what_was_seen_before_counts_when_the_picture_cannot_be_fetched_again(
    make_looker: MakeLooker,
) -> None:
    gone = False

    async def answer(request: Request) -> None:
        await request.reply(**({"status": "503 Busy"} if gone else {"body": SMALL}))

    looker = make_looker(SizeExtractor("ocr"), SizeExtractor("captions"))
    async with http_server(answer) as server:
        await looker.look([server.url()], ["ocr"])
        gone = True
        for _ in range(2):
            seen = await looker.look([server.url()], ["ocr", "captions"])
            assert seen["ocr"] == Seen((size_text(10, 20),))
            assert seen["captions"] == Missing("unavailable", "fetch failed: 127.0.0.1 answered 503")
        assert len(server.requests) == 2, "a failure is not tried again at once"
        assert (await looker.look([server.url()], ["ocr"]))["ocr"] == Seen((size_text(10, 20),))


async def test_what_one_worker_refuses_is_nothing_to_another(
    make_looker: MakeLooker, server: Server
) -> None:
    cache = open_cache(None)
    strict, kind = make_looker(SizeExtractor(), cache=cache), make_looker(SizeExtractor(), cache=cache)
    strict.pictures.fetcher = Fetcher()
    seen = (await strict.look([server.url()], ["ocr"]))["ocr"]
    assert seen == Missing("unavailable", "fetch refused: 127.0.0.1 is not a public address")
    assert await kind.look([server.url()], ["ocr"]) == {"ocr": Seen((size_text(10, 20),))}
