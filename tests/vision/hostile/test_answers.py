"""Servers that stall, lie, never end or speak something else: each ends in its reason, and soon."""

from __future__ import annotations

import asyncio

import pytest

from streamproc.vision.fetching.addresses import any_address
from streamproc.vision.fetching.fetch import Fetcher, FetchLimits
from tests.vision.hostile.answers import ANSWERS, MAX_BYTES
from tests.vision.http_server import http_server


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_ends_in_its_reason(name: str) -> None:
    answer, error, reason = ANSWERS[name]
    async with http_server(answer) as server:
        limits = FetchLimits(
            max_bytes=MAX_BYTES,
            total_s=0.6,
            first_byte_s=0.3,
            per_host_rate=1e6,
            ports=frozenset({server.port}),
        )
        fetcher = Fetcher(limits, permits=any_address)
        try:
            with pytest.raises(error, match=reason) as failed:
                async with asyncio.timeout(10):
                    await fetcher.fetch(server.url())
        finally:
            await fetcher.close()
    assert failed.type is error
    assert "127.0.0.1" in str(failed.value)
