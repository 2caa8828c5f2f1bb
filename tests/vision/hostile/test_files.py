"""Files made to hurt, in the real sandbox: each ends in a safe picture or its reason, within the limits."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from streamproc.errors import PictureError, PictureTooLarge, UndecodablePicture
from streamproc.vision.api import Picture
from streamproc.vision.sandbox.decode import SAFE_SIDE, DecodeLimits, decode, encode
from streamproc.vision.sandbox.pool import Sandbox
from tests.vision.hostile.answers import ANSWERS
from tests.vision.hostile.damage import CUT, FUZZED
from tests.vision.hostile.files import BOMBS, MAX_PIXELS, MAX_SIDE, OTHERS, Outcome
from tests.vision.hostile.polyglots import POLYGLOTS
from tests.vision.hostile.small import PAYLOAD, SMALL
from tests.vision.hostile.urls import REBOUND, REDIRECTS, REFUSED

MEMORY_BYTES = 150_000_000
LIMITS = DecodeLimits(max_pixels=MAX_PIXELS, max_side=MAX_SIDE)
module_loop = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Ended:
    """Who decoded a file, and how it ended."""

    outcome: Picture | PictureError
    died: bool


class Trial:
    """A sandbox whose folder and memory are looked at after each file."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder

    async def open(self, data: bytes) -> Ended:
        died = self.sandbox.counts.died + self.sandbox.counts.timed_out
        outcome: Picture | PictureError
        try:
            async with asyncio.timeout(90):
                outcome = await self.sandbox.open(data)
        except (UndecodablePicture, PictureTooLarge) as error:
            outcome = error
        assert list(self.folder.iterdir()) == []
        assert self._most_memory() < MEMORY_BYTES + 50_000_000
        return Ended(outcome, self.sandbox.counts.died + self.sandbox.counts.timed_out > died)

    def _most_memory(self) -> int:
        if sys.platform != "linux":
            return 0
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self.sandbox.pids]
        return max((int(text.partition("VmHWM:")[2].split()[0]) * 1024 for text in status), default=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trial(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trial]:
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sandbox = Sandbox(LIMITS, processes=1, timeout_s=60, cpu_s=1.5, memory_bytes=MEMORY_BYTES)
        yield Trial(sandbox, folder)
        await sandbox.close()


def decoded_here(data: bytes) -> bytes | PictureError:
    """What the decoder says without a sandbox around it."""
    try:
        return encode(decode(data, LIMITS))
    except PictureError as error:
        return error


def check(ended: Ended, expected: Outcome) -> None:
    kind, words = expected
    if isinstance(kind, int):
        assert isinstance(ended.outcome, Picture), ended.outcome
        assert (ended.outcome.width, ended.outcome.height) == expected
    else:
        assert isinstance(ended.outcome, kind), ended.outcome
        assert re.search(str(words), str(ended.outcome))


@module_loop
@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_ends_in_its_reason(trial: Trial, name: str) -> None:
    data, expected = BOMBS[name]
    ended = await trial.open(data)
    check(ended, expected)
    assert ended.died == ("processor time" in str(expected))


@module_loop
@pytest.mark.parametrize("name", OTHERS)
async def test_what_is_no_picture_is_named(trial: Trial, name: str) -> None:
    data, expected = OTHERS[name]
    check(await trial.open(data), expected)


@module_loop
@pytest.mark.parametrize("name", POLYGLOTS)
async def test_of_a_picture_that_is_something_else_too_only_the_picture_is_left(
    trial: Trial, name: str
) -> None:
    ended = await trial.open(POLYGLOTS[name])
    check(ended, (32, 24))
    assert isinstance(ended.outcome, Picture)
    for trace in (PAYLOAD, b"script", b"php", b"evil", b"PK\3\4", b"%PDF", b"Exif", b"ICC_PROFILE"):
        assert trace not in ended.outcome.jpeg
    assert ended.outcome.jpeg.endswith(b"\xff\xd9")
    assert ended.outcome.jpeg.count(b"\xff\xd8") == 1


def test_the_polyglots_hold_what_they_should_lose() -> None:
    packed = {name for name, data in POLYGLOTS.items() if PAYLOAD not in data}
    assert packed == set()


@module_loop
@pytest.mark.parametrize("name", CUT)
async def test_a_file_that_ends_too_early_is_refused(trial: Trial, name: str) -> None:
    check(await trial.open(CUT[name]), (UndecodablePicture, "damaged|expected JPEG"))


@module_loop
@pytest.mark.parametrize("name", FUZZED)
async def test_a_file_with_changes_gives_what_the_decoder_alone_would_give(trial: Trial, name: str) -> None:
    """And the guards keep nothing from the decoder that it needs."""
    ended = await trial.open(FUZZED[name])
    assert not ended.died
    alone = decoded_here(FUZZED[name])
    if isinstance(alone, bytes):
        assert isinstance(ended.outcome, Picture), ended.outcome
        assert ended.outcome.jpeg == alone
        assert max(ended.outcome.width, ended.outcome.height) <= SAFE_SIDE
    else:
        assert (type(ended.outcome), str(ended.outcome)) == (type(alone), str(alone))


@module_loop
async def test_after_all_of_them_pictures_are_seen_as_before(trial: Trial) -> None:
    for data in SMALL.values():
        ended = await trial.open(data)
        assert isinstance(ended.outcome, Picture)
        with Image.open(BytesIO(ended.outcome.jpeg)) as safe:
            assert safe.size == (32, 24)


def test_there_are_more_than_two_hundred_hostile_inputs() -> None:
    files = {data for table in (BOMBS, OTHERS) for data, _ in table.values()}
    files |= {*POLYGLOTS.values(), *CUT.values(), *FUZZED.values()}
    by_hand = files - set(FUZZED.values())
    assert len(REFUSED) >= 60
    assert len(by_hand) + len(REFUSED) + len(REBOUND) + len(REDIRECTS) + len(ANSWERS) >= 200
    assert len(files - set(SMALL.values())) >= 300
