"""What is put is known, over each kind of store; what is damaged is deleted and not known."""

from __future__ import annotations

import pytest

from streamproc.testing.visuals import example_value
from streamproc.vision.api import Recalled, UrlEntry
from streamproc.vision.cache import VisualCache
from streamproc.vision.cache.store import picture_key, url_key
from streamproc.vision.failures import Failure
from streamproc.vision.visuals import LOOKED_AT, Captions
from tests.vision.cache.conftest import OpenCache
from tests.vision.test_codec import same

OCR = example_value("ocr")


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest, opened: OpenCache) -> VisualCache:
    return opened(request.getfixturevalue("redis_url") if request.param == "redis" else None)


async def test_every_kind_of_outcome_is_known_once_it_is_put(cache: VisualCache, digest: str) -> None:
    outcomes = {f"{modality}:1": example_value(modality) for modality in LOOKED_AT}
    outcomes["opened:1"] = Failure("cannot be decoded: it is cut short")
    for name, outcome in outcomes.items():
        await cache.put(digest, name, outcome)
    found = await cache.get(digest, [*outcomes, "ocr:2"])
    assert found.keys() == outcomes.keys()
    assert all(same(found[name], outcomes[name]) for name in outcomes)
    assert await cache.get(digest, []) == {}
    assert (cache.counts.hits, cache.counts.misses) == (len(outcomes), 1)


async def test_a_url_gives_what_is_known_of_the_picture_it_led_to(
    cache: VisualCache, digest: str, url: str
) -> None:
    entry = UrlEntry(1.5, digest, etag='W/"a"', last_modified="Sat, 21 Nov 2026 10:00:00 GMT")
    grid = example_value("grid")
    await cache.put_url(url, entry)
    await cache.put(digest, "ocr:1", OCR)
    await cache.put(digest, "grid:1", grid)
    recalled = await cache.recall(url, ["ocr:1", "ocr:2", "grid:1"])
    assert recalled.entry == entry
    assert recalled.outcomes.keys() == {"ocr:1", "grid:1"}
    assert recalled.outcomes["ocr:1"] == OCR
    assert same(recalled.outcomes["grid:1"], grid)
    assert (await cache.recall(url, [])) == Recalled(entry)


async def test_a_url_that_led_to_a_failure_says_so(cache: VisualCache, url: str) -> None:
    entry = UrlEntry(1.5, failure=Failure("fetch failed: pictures.example answered 404"))
    await cache.put_url(url, entry)
    assert await cache.recall(url, ["ocr:1"]) == Recalled(entry)
    assert await cache.recall(url + "?other", ["ocr:1"]) == Recalled()
    assert (cache.counts.hits, cache.counts.misses) == (0, 0)


async def test_the_newest_outcome_and_entry_are_known(cache: VisualCache, digest: str, url: str) -> None:
    for checked, text in ((1.0, "first"), (2.0, "second")):
        await cache.put_url(url, UrlEntry(checked, digest))
        await cache.put(digest, "captions:1", Captions((text,), (-1.0,)))
    recalled = await cache.recall(url, ["captions:1"])
    assert recalled == Recalled(UrlEntry(2.0, digest), {"captions:1": Captions(("second",), (-1.0,))})


async def test_a_value_that_is_too_large_is_not_kept(opened: OpenCache, digest: str) -> None:
    cache = opened(max_value_bytes=1000)
    await cache.put(digest, "grid:1", example_value("grid"))
    await cache.put(digest, "ocr:1", OCR)
    assert await cache.get(digest, ["grid:1", "ocr:1"]) == {"ocr:1": OCR}
    assert cache.counts.too_large == 1


async def test_what_cannot_be_written_costs_nobody_a_look(
    cache: VisualCache, digest: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server's headers may hold bytes that are no text."""
    await cache.put_url(url, UrlEntry(1.0, digest, etag="\udcff"))
    await cache.put(digest, "captions:1", Captions(("\udcff",), (-1.0,)))
    assert await cache.recall(url, ["captions:1"]) == Recalled()
    assert await cache.get(digest, ["captions:1"]) == {}
    assert cache.counts.errors == 2
    assert len(caplog.records) == 2


@pytest.mark.parametrize("damage", [b"\x80\x04damaged", b"\x02w{", b"{}" * 50_000])
async def test_what_cannot_be_read_is_deleted_and_not_known(
    cache: VisualCache, digest: str, url: str, damage: bytes
) -> None:
    store = cache._store
    await cache.put_url(url, UrlEntry(1.0, digest))
    await cache.put(digest, "ocr:1", OCR)
    await store.put(picture_key(digest, "ocr:2"), damage, 60)
    assert await cache.get(digest, ["ocr:1", "ocr:2"]) == {"ocr:1": OCR}
    assert await store.get([picture_key(digest, "ocr:2")]) == [None]
    await store.put(url_key(url), damage, 60)
    assert await cache.recall(url, ["ocr:1"]) == Recalled()
    assert await store.get([url_key(url)]) == [None]
    assert cache.counts.unreadable == 2


async def test_an_empty_value_is_not_known(cache: VisualCache, digest: str, url: str) -> None:
    await cache._store.put(picture_key(digest, "ocr:1"), b"", 60)
    await cache._store.put(url_key(url), b"", 60)
    assert await cache.recall(url, ["ocr:1"]) == Recalled()
    assert await cache.get(digest, ["ocr:1"]) == {}
    async with cache.turn(digest, "ocr:1") as known:
        assert known is None


async def test_an_entry_without_a_readable_digest_leads_nowhere(cache: VisualCache, url: str) -> None:
    for damage in (b'{"checked":1,"digest":[1]}', b'[{"digest":"a"}]', b'{"digest":"a"}', b"1"):
        await cache._store.put(url_key(url), damage, 60)
        assert await cache.recall(url, ["ocr:1"]) == Recalled()
    assert cache.counts.unreadable == 4
