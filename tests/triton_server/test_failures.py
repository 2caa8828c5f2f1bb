"""What a worker is told when a Triton server is slow, full, wrong, gone, or back again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from streamproc.errors import ExtractorAway, ExtractorUnavailable
from streamproc.vision.api import Extracted
from streamproc.vision.names import Known
from streamproc.vision.triton import TritonExtractor, TritonOptions, check_triton
from streamproc.vision.triton.client import Answer, TritonClient
from streamproc.vision.triton.errors import TritonFailed
from tests.services.process import free_port
from tests.services.triton import Triton, made_model, running
from tests.triton_server.conftest import ENGINES, Gate, MakeExtractor, bytes_as_picture, picture
from tests.triton_server.engines import DEADLY, GATED, read


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_slow_model_costs_a_picture_no_more_than_the_deadline(
    obedient: Triton, extractor: MakeExtractor, gate: Gate
) -> None:
    ocr = extractor(obedient, "ocr_gated", deadline_s=0.2)
    with pytest.raises(ExtractorUnavailable, match=r"ocr_gated gave no answer within 0\.2 s") as slow:
        await ocr.extract(picture(GATED))
    assert not isinstance(slow.value, ExtractorAway), "it may be the picture"
    gate.open()


class CountingClient(TritonClient):
    """Counts requests that failed, each try by itself, and how many there were at once at most."""

    failed = 0
    running = 0
    most = 0

    async def _ask_once(self, *args: Any) -> Answer:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await super()._ask_once(*args)
        except TritonFailed:
            self.failed += 1
            raise
        finally:
            self.running -= 1


async def test_a_full_queue_is_tried_again(obedient: Triton, gate: Gate) -> None:
    options = TritonOptions(retries=9, breaker_failures=1)
    client = CountingClient(obedient.url, options)
    ocr = TritonExtractor(client, "ocr_short", Known("ocr"), options)
    pictures = [asyncio.create_task(ocr.extract(picture(GATED)))]
    await gate.reached(GATED)
    pictures += [asyncio.create_task(ocr.extract(picture(width))) for width in (21, 22, 23, 24)]
    while client.failed < 2:
        await asyncio.sleep(0.01)
    gate.open()
    texts = [(await one).value.lines[0].text for one in pictures]
    assert texts == ["99", "21", "22", "23", "24"]
    await ocr.close()


async def test_a_queue_that_stays_full_is_no_reason_to_leave_the_server_alone(
    obedient: Triton, extractor: MakeExtractor, gate: Gate
) -> None:
    ocr = extractor(obedient, "ocr_short", retries=1, breaker_failures=1)
    waiting = [asyncio.create_task(ocr.extract(picture(GATED)))]
    await gate.reached(GATED)
    waiting += [asyncio.create_task(ocr.extract(picture(width))) for width in (21, 22)]
    while await asyncio.to_thread(obedient.metric, "nv_inference_pending_request_count", "ocr_short") < 2:
        await asyncio.sleep(0.01)
    with pytest.raises(ExtractorAway, match="the queue of ocr_short is full"):
        await ocr.extract(picture(23))
    assert ocr.unavailable() is None
    gate.open()
    await asyncio.gather(*waiting)


async def test_no_more_pictures_than_allowed_are_on_their_way_at_once(obedient: Triton, gate: Gate) -> None:
    options = TritonOptions(in_flight=3)
    client = CountingClient(obedient.url, options)
    ocr = TritonExtractor(client, "ocr_gated", Known("ocr"), options)
    pictures = [asyncio.create_task(ocr.extract(picture(GATED)))]
    await gate.reached(GATED)
    pictures += [asyncio.create_task(ocr.extract(picture(width))) for width in range(21, 29)]
    while await asyncio.to_thread(obedient.metric, "nv_inference_pending_request_count", "ocr_gated") < 2:
        await asyncio.sleep(0.01)
    assert client.running == 3
    gate.open()
    assert len(await asyncio.gather(*pictures)) == 9
    assert client.most == 3
    await ocr.close()


@pytest.mark.parametrize(
    ("picture_bytes", "fault"),
    [
        (b"shape", "cells of 48 x 2048, expected 49 x 2048"),
        (b"width", "cells of 49 x 1024, expected 49 x 2048"),
        (b"NaN", "cells that are not all finite numbers"),
        (b"type", "cells of float32, expected float16"),
        (b"nothing", "no output named 'grid'"),
        (b"empty", "no numbers at all"),
        (b"no version", "no version"),
    ],
)
async def test_a_wrong_answer_is_refused_in_words_and_costs_its_picture_alone(
    obedient: Triton, extractor: MakeExtractor, picture_bytes: bytes, fault: str
) -> None:
    grid = extractor(obedient, "grid_wrong", "grid", 2048, breaker_failures=1)
    wrong, right = await asyncio.gather(
        grid.extract(bytes_as_picture(picture_bytes)),
        grid.extract(bytes_as_picture(b"right")),
        return_exceptions=True,
    )
    assert isinstance(wrong, ExtractorUnavailable)
    assert str(wrong) == f"grid_wrong: the server gave {fault}"
    assert right.value.shape == (49, 2048)
    assert grid.unavailable() is None


# -- a server of its own, to be ended ------------------------------------------------------


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    made = made_model(tmp_path_factory.mktemp("models"), "ocr_size", engine=f"{ENGINES}:SizeEngine")
    with running(tmp_path_factory.mktemp("mortal"), [made]) as server:
        yield server


async def test_a_server_that_was_killed_is_left_alone_and_found_again_when_it_is_back(
    mortal: Triton, extractor: MakeExtractor, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    ocr = extractor(mortal, "ocr_size", breaker_failures=2, breaker_pause_s=5, retries=1, clock=clock)
    assert (await ocr.extract(picture(20))).value == read(20, 1)

    mortal.kill()
    for refused in range(2):
        assert ocr.unavailable() is None, refused
        with pytest.raises(ExtractorAway, match="the server is away"):
            await ocr.extract(picture(20))
    assert "the server is away" in (ocr.unavailable() or "")
    assert await ocr.version() == "size-1"  # what is remembered under it is still good
    (state,) = await check_triton(mortal.url)
    assert (state.server, state.models) == (None, ())
    assert "the server is away" in state.fault

    mortal.start()
    with pytest.raises(ExtractorAway, match="the server is away"):
        await ocr.extract(picture(20))  # the pause is not over
    clock.now += 5.1
    assert ocr.unavailable() is None
    assert (await _until_back(ocr, clock)).value == read(20, 1)
    alone, again = caplog.messages
    assert "the server is away" in alone
    assert "it is left alone" in alone
    assert again.endswith("answers again")


async def test_a_server_that_is_away_at_first_is_asked_for_its_version_when_it_comes(
    mortal: Triton, extractor: MakeExtractor
) -> None:
    clock = Clock()
    mortal.kill()
    ocr = extractor(mortal, "ocr_size", breaker_failures=1, retries=0, clock=clock)
    with pytest.raises(ExtractorAway, match="the server is away"):
        await ocr.version()
    assert ocr.unavailable() is not None
    with pytest.raises(ExtractorAway, match="the server is away"):
        await ocr.version()
    mortal.start()
    await _until_back(ocr, clock)
    assert await ocr.version() == "size-1"


async def test_the_next_server_is_asked_where_one_is_away(mortal: Triton, extractor: MakeExtractor) -> None:
    options = TritonOptions(breaker_failures=1)
    nobody = f"127.0.0.1:{free_port()}"
    client = TritonClient(f"triton://{nobody},{mortal.url.removeprefix('triton://')}", options)
    ocr = TritonExtractor(client, "ocr_size", Known("ocr"), options)
    for width in (20, 21, 22):
        assert (await ocr.extract(picture(width))).value == read(width, 1)
    away, there = await check_triton(f"triton://{','.join(client.hosts)}")
    assert (away.host, away.server) == (nobody, None)
    assert [model.version for model in there.models] == ["size-1"]
    await ocr.close()


async def test_a_model_whose_process_died_says_so_until_its_server_is_started_again(
    mortal: Triton, extractor: MakeExtractor
) -> None:
    clock = Clock()
    ocr = extractor(mortal, "ocr_size", breaker_failures=2, clock=clock)
    for width in (DEADLY, 20):
        with pytest.raises(ExtractorUnavailable, match="the process of ocr_size died: restart the server"):
            await ocr.extract(picture(width))
    assert "died" in (ocr.unavailable() or "")
    (state,) = await check_triton(mortal.url)
    assert state.models[0].fault == "the process of ocr_size died: restart the server"
    mortal.kill()
    mortal.start()
    assert (await _until_back(ocr, clock)).value == read(20, 1)


async def _until_back(ocr: TritonExtractor, clock: Clock) -> Extracted:
    """What the extractor sees as soon as it does: the channel takes a moment to connect again."""
    while True:
        clock.now += 60
        try:
            return await ocr.extract(picture(20))
        except ExtractorUnavailable:
            await asyncio.sleep(0.05)


async def test_one_of_two_servers_that_is_away_costs_no_picture(
    mortal: Triton, extractor: MakeExtractor
) -> None:
    options = TritonOptions(retries=0)
    nobody = f"127.0.0.1:{free_port()}"
    for hosts in (
        (nobody, mortal.url.removeprefix("triton://")),
        (mortal.url.removeprefix("triton://"), nobody),
    ):
        client = TritonClient(f"triton://{','.join(hosts)}", options)
        ocr = TritonExtractor(client, "ocr_size", Known("ocr"), options)
        assert await ocr.version() == "size-1"
        seen = await asyncio.gather(*(ocr.extract(picture(width)) for width in range(20, 60)))
        assert [text.value.lines[0].text for text in seen] == [str(width) for width in range(20, 60)]
        await ocr.close()
