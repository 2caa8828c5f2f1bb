"""Micro-batches are bounded, sorted by length, and lose nobody."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.errors import PluginError, PluginFailed
from streamproc.fusion.api import FusionInput, Tagging
from streamproc.fusion.microbatch import MicroBatcher, estimated_tokens
from streamproc.fusion.runner import BatchLost, Result
from streamproc.settings import Batching
from streamproc.testing import example_value
from streamproc.vision.visuals import (
    Captions,
    DetectedObject,
    Missing,
    Modality,
    Objects,
    OcrLine,
    OcrText,
    Seen,
    Visual,
)


class Recorder:
    """Tags with the text's length as uncertainty and remembers the batches; waits at `gate`."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.explained: list[bool] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, batch: Sequence[FusionInput], *, explain: bool) -> list[Result]:
        self.batches.append([post.text for post in batch])
        self.explained.append(explain)
        if self.gate is not None:
            await self.gate.wait()
        return [Tagging((), (), float(len(post.text))) for post in batch]


async def collect(batcher: MicroBatcher, texts: Sequence[str]) -> dict[int, Result]:
    found: dict[int, Result] = {}
    async for group in batcher.tag([FusionInput(text) for text in texts]):
        for index, result in group:
            assert index not in found, "each post has one result"
            found[index] = result
    return found


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 8), st.integers(1, 200))
def test_every_post_gets_its_own_result_from_bounded_sorted_batches(
    sizes: list[int], posts: int, tokens: int
) -> None:
    async def scenario() -> None:
        recorder = Recorder()
        batcher = MicroBatcher(recorder, Batching(posts=posts, tokens=tokens, wait_ms=0, window=16))
        texts = ["x" * size for size in sizes]
        found = await collect(batcher, texts)
        await batcher.close()
        assert {i: r.uncertainty for i, r in found.items() if isinstance(r, Tagging)} == dict(
            enumerate(map(float, sizes))
        )
        for batch in recorder.batches:
            lengths = [estimated_tokens(text) for text in batch]
            assert lengths == sorted(lengths)
            assert len(batch) == 1 or (len(batch) <= posts and len(batch) * lengths[-1] <= tokens)

    asyncio.run(scenario())


async def test_a_batch_of_a_few_ends_where_posts_get_much_longer() -> None:
    recorder = Recorder()
    batcher = MicroBatcher(recorder, Batching(posts=64, wait_ms=0))
    await collect(batcher, ["x" * 40] * 20 + ["x" * 44] * 3 + ["x" * 80] * 2 + ["x" * 400])
    assert [len(batch) for batch in recorder.batches] == [23, 3], "the last ones are too few to be parted"
    await batcher.close()


async def test_of_a_few_posts_those_like_the_oldest_come_first_and_later_ones_join_the_others() -> None:
    recorder = Recorder()
    recorder.gate = asyncio.Event()
    batcher = MicroBatcher(recorder, Batching(posts=64, wait_ms=0))
    first = asyncio.create_task(collect(batcher, ["x" * 400] * 20 + ["x" * 40] * 20))
    while not recorder.batches:
        await asyncio.sleep(0)
    later = asyncio.create_task(collect(batcher, ["x" * 44] * 5))
    await asyncio.sleep(0)
    recorder.gate.set()
    assert [len(found) for found in await asyncio.gather(first, later)] == [40, 5]
    assert [(len(batch), len(batch[0])) for batch in recorder.batches] == [(20, 400), (25, 40)]
    await batcher.close()


async def test_posts_that_let_others_go_first_do_not_wait_for_company_again() -> None:
    recorder = Recorder()
    batcher = MicroBatcher(recorder, Batching(posts=64, wait_ms=60_000))
    posts = [FusionInput("x" * size) for size in [400] * 20 + [40] * 20]
    async with asyncio.timeout(20):
        groups = [group async for group in batcher.tag(posts, wait=False)]
    assert sum(map(len, groups)) == 40
    assert [len(batch) for batch in recorder.batches] == [20, 20]
    await batcher.close()


async def test_of_many_posts_all_are_handed_over_together_the_shortest_first() -> None:
    recorder = Recorder()
    recorder.gate = asyncio.Event()
    batcher = MicroBatcher(recorder, Batching(posts=20, wait_ms=0))
    tagging = asyncio.create_task(collect(batcher, ["x" * 400] * 20 + ["x" * 40] * 20))
    while len(recorder.batches) < 2:
        await asyncio.sleep(0)
    assert [(len(batch), len(batch[0])) for batch in recorder.batches] == [(20, 40), (20, 400)]
    recorder.gate.set()
    await tagging
    await batcher.close()


async def test_a_post_that_has_waited_while_others_were_tagged_does_not_wait_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("streamproc.fusion.microbatch.monotonic", lambda: now)
    recorder = Recorder()
    recorder.gate = asyncio.Event()
    batcher = MicroBatcher(recorder, Batching(posts=2, wait_ms=60_000))
    full = asyncio.create_task(collect(batcher, ["a", "b"]))
    while not recorder.batches:
        await asyncio.sleep(0)
    alone = asyncio.create_task(collect(batcher, ["c"]))
    await asyncio.sleep(0)
    now = 61.0
    recorder.gate.set()
    async with asyncio.timeout(20):
        await asyncio.gather(full, alone)
    assert recorder.batches == [["a", "b"], ["c"]]
    await batcher.close()


async def test_what_was_seen_counts_to_the_length_of_a_post_as_far_as_it_is_text() -> None:
    recorder = Recorder()
    batcher = MicroBatcher(recorder, Batching(posts=2, wait_ms=0))
    box = (0.0, 0.0, 1.0, 1.0)
    told: dict[str, dict[Modality, Visual]] = {
        "ocr": {"ocr": Seen((OcrText((OcrLine("much writing " * 9, 1.0, box),)),))},
        "alt": {"alt": Seen(("a long description " * 9,))},
        "captions": {"captions": Seen((Captions(("a long caption " * 9,), (0.0,)),))},
        "objects": {"objects": Seen((Objects((DetectedObject("dog", 1.0, ("small",)),) * 20),))},
        "grid": {"grid": Seen((example_value("grid"),))},
        "absent": {"ocr": Missing("absent")},
    }
    posts = [FusionInput(text, visuals=visuals) for text, visuals in told.items()]
    async for _ in batcher.tag(posts):
        pass
    await batcher.close()
    assert {"grid", "absent"} in map(set, recorder.batches)


async def test_posts_that_come_apart_wait_for_each_other() -> None:
    recorder = Recorder()
    batcher = MicroBatcher(recorder, Batching(posts=3, wait_ms=10_000))
    results = await asyncio.gather(*(collect(batcher, [text]) for text in ("a", "b", "c")))
    assert recorder.batches == [["a", "b", "c"]]
    assert [len(found) for found in results] == [1, 1, 1]
    await batcher.close()


async def test_a_lone_post_is_tagged_after_the_wait() -> None:
    batcher = MicroBatcher(Recorder(), Batching(posts=64, wait_ms=1))
    assert len(await collect(batcher, ["alone"])) == 1
    await batcher.close()


async def test_results_come_back_as_micro_batches_finish_not_at_the_end() -> None:
    recorder, gate = Recorder(), asyncio.Event()

    async def tag(batch: Sequence[FusionInput], *, explain: bool) -> list[Result]:
        if len(batch[0].text) > 1:
            await gate.wait()
        return await recorder(batch, explain=explain)

    batcher = MicroBatcher(tag, Batching(posts=1, wait_ms=0))
    groups = batcher.tag([FusionInput(text) for text in ("a", "bbbbbbbbb", "c", "dddddddddddddddd")])
    assert sorted(index for index, _ in await anext(groups)) == [0, 2], "quick ones come together"
    gate.set()
    assert sorted([index async for group in groups for index, _ in group]) == [1, 3]
    await batcher.close()


async def test_results_that_are_there_come_before_the_failure_of_a_later_micro_batch() -> None:
    recorder = Recorder()

    async def tag(batch: Sequence[FusionInput], *, explain: bool) -> list[Result]:
        if len(batch[0].text) > 1:
            raise RuntimeError("no thread")
        return await recorder(batch, explain=explain)

    batcher = MicroBatcher(tag, Batching(posts=1, wait_ms=0))
    groups = batcher.tag([FusionInput("a"), FusionInput("bbbbbbbbb")])
    assert [index for index, _ in await anext(groups)] == [0]
    with pytest.raises(RuntimeError, match="no thread"):
        await anext(groups)
    await batcher.close()


async def test_a_batch_that_cannot_be_run_is_raised_to_those_who_wait_and_the_next_ones_go_on() -> None:
    recorder = Recorder()
    broken = True

    async def tag(batch: Sequence[FusionInput], *, explain: bool) -> list[Result]:
        if broken:
            raise RuntimeError("no thread")
        return await recorder(batch, explain=explain)

    batcher = MicroBatcher(tag, Batching(wait_ms=0))
    with pytest.raises(RuntimeError, match="no thread"):
        await collect(batcher, ["a"])
    broken = False
    assert len(await collect(batcher, ["a", "b"])) == 2
    await batcher.close()


async def test_a_micro_batch_is_explained_when_somebody_in_it_asked_and_no_other_one() -> None:
    recorder = Recorder()
    recorder.gate = asyncio.Event()
    batcher = MicroBatcher(recorder, Batching(posts=2, wait_ms=0))

    async def submit(text: str, explain: bool) -> None:
        async for _ in batcher.tag([FusionInput(text)], explain=explain):
            pass

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(submit("first", False))
        while not recorder.batches:
            await asyncio.sleep(0)
        for text, explain in (("a", False), ("b", True), ("longer", False), ("longest", False)):
            tasks.create_task(submit(text, explain))
        await asyncio.sleep(0)
        recorder.gate.set()
    told = dict(zip(map(tuple, recorder.batches), recorder.explained, strict=True))
    assert told == {("first",): False, ("a", "b"): True, ("longer", "longest"): False}
    await batcher.close()


async def test_posts_of_a_lost_batch_are_tagged_alone_and_each_result_goes_on_at_once() -> None:
    recorder = Recorder()
    gate = asyncio.Event()

    async def tag(batch: Sequence[FusionInput], *, explain: bool) -> list[Result]:
        results = await recorder(batch, explain=explain)
        if len(batch) > 1:
            raise BatchLost
        if batch[0].text == "bb":
            await gate.wait()
        return results

    batcher = MicroBatcher(tag, Batching(wait_ms=0))
    groups = batcher.tag([FusionInput(text) for text in ("a", "bb", "ccc")])
    assert [index for index, _ in await anext(groups)] == [0]
    gate.set()
    assert [index async for group in groups for index, _ in group] == [1, 2]
    assert recorder.batches == [["a", "bb", "ccc"], ["a"], ["bb"], ["ccc"]]
    await batcher.close()


async def test_a_failure_is_a_result_like_any_other() -> None:
    async def tag(batch: Sequence[FusionInput], *, explain: bool) -> list[Result]:
        return [PluginFailed("no") for _ in batch]

    batcher = MicroBatcher(tag, Batching(wait_ms=0))
    assert isinstance((await collect(batcher, ["a"]))[0], PluginFailed)
    await batcher.close()


async def test_a_post_that_is_lost_by_itself_is_told_and_who_comes_later_does_not_wait() -> None:
    async def tag(batch: Sequence[FusionInput], *, explain: bool) -> list[Result]:
        raise BatchLost

    batcher = MicroBatcher(tag, Batching(wait_ms=0))
    with pytest.raises(BatchLost):
        await collect(batcher, ["a", "b"])
    await batcher.close()
    with pytest.raises(PluginError, match="ended"):
        await collect(batcher, ["c"])
