"""What may stand in Redis, which others write to as well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
from hypothesis import strategies as st

from streamproc.testing.visuals import example_value
from streamproc.vision.api import Cache, Recalled, UrlEntry
from streamproc.vision.cache import MemoryStore, VisualCache
from streamproc.vision.cache.connecting import connect
from streamproc.vision.cache.redis import RedisStore
from streamproc.vision.cache.store import Store, picture_key, url_key
from streamproc.vision.codec import encode, encode_entry
from streamproc.vision.failures import Failure
from tests.fuzz.inputs import TEXTS, VALUES, as_json, damaged, objects
from tests.fuzz.target import Check, Target
from tests.services import redis as redis_service

_DIGEST: Final = "ab" * 32
_NAMES: Final = ("ocr:1", "grid:1")
_ENTRIES: Final = [encode_entry(UrlEntry(1.7e9, _DIGEST, etag='"x"')), encode_entry(UrlEntry(1.0, None))]
_OUTCOMES: Final = [
    encode(outcome)
    for outcome in (
        *(example_value(modality) for modality in ("ocr", "captions", "objects", "alt")),
        Failure("fetch failed: 404"),
        np.zeros((7, 7, 3), np.float16),
        np.arange(600, dtype=np.float16),
        example_value("regions"),
    )
]
_ENTRY: Final = (
    damaged(_ENTRIES)
    | as_json(
        objects({"checked": VALUES, "digest": st.just(_DIGEST) | TEXTS, "failure": VALUES, "etag": TEXTS})
    )
    | st.sampled_from(_ENTRIES)
    | st.binary(max_size=30)
)
_HEAD: Final = as_json(
    objects(
        {
            "arrays": st.lists(
                objects({"shape": st.lists(st.integers(), max_size=3), "stored": st.integers(0, 99)})
            )
        }
    )
)


def _with_head(head: bytes, rest: bytes) -> bytes:
    return b"\x02a" + len(head).to_bytes(4, "big") + head + rest


_OUTCOME: Final = (
    st.none()
    | st.binary(max_size=30)
    | st.binary(max_size=12).map(lambda body: b"\x02a" + body)
    | damaged(_OUTCOMES)
    | st.builds(_with_head, _HEAD, st.binary(max_size=20))
    | st.builds(
        lambda letter, body: b"\x02" + letter + body,
        st.sampled_from([b"t", b"c", b"o", b"w", b"f"]),
        as_json(VALUES),
    )
)
_INPUTS: Final = st.tuples(st.none() | _ENTRY, _OUTCOME, _OUTCOME)


async def _recall(store: Store, given: Any) -> tuple[Recalled, dict[str, Any], int]:
    """What a cache makes of values that stand under its keys."""
    entry, *outcomes = given
    url = f"https://pictures.example/{uuid4()}"
    cache: Cache = VisualCache(store, ttl_s=60, failure_ttl_s=60, max_value_bytes=2**20)
    values = {url_key(url): entry}
    values |= {picture_key(_DIGEST, name): found for name, found in zip(_NAMES, outcomes, strict=True)}
    for key, value in values.items():
        await store.delete(key)
        if value is not None:
            await store.put(key, value, 60)
    before = cache.counts.hits + cache.counts.misses
    recalled = await cache.recall(url, _NAMES)
    asked = cache.counts.hits + cache.counts.misses - before
    assert set(recalled.outcomes) <= set(_NAMES)
    assert asked in (0, len(_NAMES))
    return recalled, await cache.get(_DIGEST, _NAMES), asked


@contextmanager
def _in_this_process(folder: Path) -> Iterator[Check]:
    with asyncio.Runner() as runner:
        yield lambda given: runner.run(_recall(MemoryStore(2**24), given)) and None


@contextmanager
def _in_redis(folder: Path) -> Iterator[Check]:
    """The same as in this process, whatever stands there; and Redis is never taken for away."""
    with redis_service.running(folder) as url, asyncio.Runner() as runner:
        store = RedisStore(connect(url, 5.0), deadline_s=20.0)

        def check(given: Any) -> None:
            ours = runner.run(_recall(MemoryStore(2**24), given))
            theirs = runner.run(_recall(store, given))
            assert repr(theirs) == repr(ours)
            assert store.counts.errors == 0

        try:
            yield check
        finally:
            runner.run(store.close())


TARGETS: Final = (
    Target("cache", _INPUTS, _in_this_process, relatives=20, cost=4),
    Target("redis", _INPUTS, _in_redis, short=50, relatives=5, cost=40),
)
