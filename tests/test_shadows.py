"""A shadow that is slow, stuck or gone for good holds up no post of the primary."""

import asyncio
import json
import threading
from collections.abc import Sequence

import pytest

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, Tagging
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.runner import Result, Runner
from streamproc.fusion.tagger import Tagger
from streamproc.pipeline import Pipeline
from streamproc.routing import Look, Route, Router, Shadow
from streamproc.settings import Batching
from streamproc.testing import FakeModel, MemorySink, fake_tagger, memory_batch
from tests.eyes import FakeEyes

ROUTES = (Route(primary="quick", look=Look("never"), shadow=(Shadow(plugin="shade"),)),)


class StuckModel(FakeModel):
    """Tags once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        self.go.wait()
        return super().tag(batch)


class GoneRunner(Runner):
    """Has no model any more."""

    async def tag(self, batch: Sequence[FusionInput], *, explain: bool = False) -> list[Result]:
        raise PluginError("plugin 'shade' does not start again")

    async def close(self) -> None:
        pass


def post(number: int, text: str = "Ada") -> bytes:
    return json.dumps({"platform": "test", "id": str(number), "text": f"{text} {number}"}).encode()


def pipeline(sink: MemorySink, shade: Tagger, shadow_posts: int = 4_000) -> Pipeline:
    taggers = {"quick": fake_tagger("quick", FakeModel()), "shade": shade}
    return Pipeline(Router(ROUTES), taggers, FakeEyes(), sink, text_chars=1000, shadow_posts=shadow_posts)


def ids(sink: MemorySink, shadow: bool) -> list[str]:
    return [output.tagged.post_id for output in sink.outputs if output.shadow is shadow]


async def test_a_shadow_that_is_stuck_gets_so_many_posts_and_the_primary_ends_all_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, sink, done = StuckModel(), MemorySink(), list[int]()
    line = pipeline(sink, fake_tagger("shade", model), shadow_posts=3)
    bodies = [post(number) for number in range(10)]
    first = asyncio.create_task(line.process(memory_batch(bodies, done.append)))
    while len(done) < 10:
        await asyncio.sleep(0)
    # The same posts again: their first versions have ended, though a shadow still works on three of them.
    second = asyncio.create_task(line.process(memory_batch(bodies, done.append)))
    while len(done) < 20:
        await asyncio.sleep(0)
    assert ids(sink, shadow=True) == []
    assert line.counts.finished == line.counts.tagged == 20
    assert line.counts.shadow_dropped == 17
    model.go.set()
    await asyncio.gather(first, second)
    assert sorted(ids(sink, shadow=True)) == ["0", "1", "2"]
    assert caplog.text.count("shadow 'shade' is too slow: 3 posts wait for it") == 1
    await line.process(memory_batch([post(11)]))
    assert ids(sink, shadow=True)[-1] == "11", "it gets posts again when it has ended with others"


async def test_a_shadow_that_fails_gives_its_place_back() -> None:
    sink = MemorySink()
    line = pipeline(sink, fake_tagger("shade", FakeModel(raises_on="Ada")), shadow_posts=2)
    for number in range(4):
        await line.process(memory_batch([post(number)]))
    assert (line.counts.shadow_failed, line.counts.shadow_dropped) == (4, 0)


async def test_a_shadow_that_is_gone_for_good_costs_nobody_anything() -> None:
    sink, done = MemorySink(), list[int]()
    facts = PluginFacts.of("shade", "1", FakeModel())
    line = pipeline(sink, Tagger(facts, GoneRunner(), Batching(wait_ms=0)))
    await line.process(memory_batch([post(n) for n in range(5)], done.append))
    assert sorted(done) == [1, 2, 3, 4, 5]
    assert (line.counts.tagged, line.counts.shadow_failed) == (5, 5)


async def test_a_primary_that_is_gone_for_good_ends_the_work() -> None:
    done: list[int] = []
    facts = PluginFacts.of("quick", "1", FakeModel())
    gone = Tagger(facts, GoneRunner(), Batching(wait_ms=0))
    line = Pipeline(
        Router((Route(primary="quick"),)), {"quick": gone}, FakeEyes(), MemorySink(), text_chars=1000
    )
    with pytest.RaisesGroup(PluginError, flatten_subgroups=True):
        await line.process(memory_batch([post(1)], done.append))
    assert not done
