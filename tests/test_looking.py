"""What becomes of posts whose pictures nobody can look at now: their route says so."""

import asyncio
import json
from math import inf

import pytest

from streamproc import looking
from streamproc.errors import PicturesUnavailable
from streamproc.fusion.api import Need
from streamproc.pipeline import Pipeline
from streamproc.routing import Look, Route, Router, Shadow, Unavailable
from streamproc.testing import FakeModel, MemorySink, fake_tagger, memory_batch
from tests.eyes import FakeEyes

OCR = {"ocr": Need.OPTIONAL}


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "TRY_S", 0.01)


class Line:
    """A pipeline with one route, and what it told of pauses."""

    def __init__(self, eyes: FakeEyes, unavailable: Unavailable, shadow: tuple[Shadow, ...] = ()) -> None:
        self.sink, self.model, self.eyes = MemorySink(), FakeModel(OCR), eyes
        self.pauses: list[str | None] = []
        route = Route(primary="fake", look=Look("always"), unavailable=unavailable, shadow=shadow)
        taggers = {"fake": fake_tagger("fake", self.model), "other": fake_tagger("other", FakeModel(OCR))}
        self.pipeline = Pipeline(
            Router([route]), taggers, eyes, self.sink, text_chars=100, paused=self.pauses.append
        )

    async def run(self, posts: int) -> None:
        async with asyncio.timeout(20):
            await self.pipeline.process(memory_batch(bodies(posts), lambda _: None))


def bodies(posts: int) -> list[bytes]:
    media = [{"type": "image", "url": "https://example.org/a.png"}]
    return [
        json.dumps({"platform": "test", "id": str(n), "text": "Ada in Berlin", "media": media}).encode()
        for n in range(posts)
    ]


async def test_posts_go_on_without_their_pictures_by_default() -> None:
    line = Line(FakeEyes(away=inf), Route().unavailable)
    await line.run(1)
    (output,) = line.sink.outputs
    assert output.tagged.visuals["ocr"].reason == "ocr is away"
    assert output.tagged.entities
    assert line.pauses == []


async def test_a_route_that_waits_gets_every_picture_once_the_extractor_is_back() -> None:
    line = Line(FakeEyes(away=300), "wait")
    await line.run(200)
    assert [o.tagged.visuals["ocr"].status for o in line.sink.outputs] == ["used"] * 200
    assert line.pauses[0] == "posts wait for an extractor: ocr is away"
    assert line.pauses[-1] is None
    assert line.pipeline.counts.waited == 200
    # Each of the 200 looks once and is told away; then one at a time finds out, until all look again.
    assert len(line.eyes.looks) <= 200 + 100 + 200


async def test_posts_that_wait_let_go_when_another_worker_has_them() -> None:
    line = Line(FakeEyes(away=inf), "wait")
    batch = memory_batch(bodies(3), lambda _: None)
    async with asyncio.timeout(20):
        work = asyncio.create_task(line.pipeline.process(batch))
        while line.pipeline.counts.waited < 3:
            await asyncio.sleep(0)
        batch.revoked = True
        await work
    assert not line.sink.outputs
    assert line.pipeline.counts.dropped == 3
    assert line.pauses[-1] is None


async def test_a_route_that_wants_no_tags_without_pictures_gets_dead_letters_with_the_reason() -> None:
    line = Line(FakeEyes(away=1), "dead-letter")
    await line.run(2)
    (letter,) = line.sink.letters
    assert isinstance(letter.error, PicturesUnavailable)
    assert (letter.stage, letter.plugin) == ("look", "fake")
    assert "ocr is away" in str(letter.error)
    assert len(line.sink.outputs) == 1
    assert [len(batch) for batch in line.model.batches] == [1], "the other post cost no tagging"


async def test_nobody_waits_for_the_pictures_of_a_shadow() -> None:
    line = Line(FakeEyes(away=2), "wait", (Shadow(plugin="other"),))
    await line.run(1)
    found = {o.tagged.plugin.name: o.tagged.visuals["ocr"].status for o in line.sink.outputs}
    assert found == {"fake": "used", "other": "unavailable"}
