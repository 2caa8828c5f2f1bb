"""Whatever a plugin does, it costs at most the posts that it did it to."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np
import pytest

from streamproc.entities import Entity
from streamproc.errors import PluginFailed
from streamproc.fusion.api import FusionInput, FusionModel, Tagging
from streamproc.fusion.runner import ThreadRunner, tag_safely
from streamproc.testing import FakeModel
from tests.fusion.odd_types import MoreTagging, Number, OwnEntity, Text


class Broken(FusionModel):
    """Gives what it was told to give."""

    def __init__(self, taggings: object) -> None:
        self.taggings = taggings

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return self.taggings  # type: ignore[return-value]


class Unreadable(list[Tagging]):
    def __iter__(self) -> Iterator[Tagging]:
        raise RuntimeError("ended badly")


class Miscounted(list[Tagging]):
    def __iter__(self) -> Iterator[Tagging]:
        return iter([Tagging((), (), 0.0)] * 3)


def tagging(*entities: Entity) -> Tagging:
    return Tagging(entities, (), 0.0)


@pytest.mark.parametrize(
    ("taggings", "fault"),
    [
        ([], "0 taggings for 1 posts"),
        ([tagging(), tagging()], "2 taggings for 1 posts"),
        (None, "TypeError"),
        (Unreadable([tagging()]), "ended badly"),
        (Miscounted([tagging()]), "3 taggings for 1 posts"),
        ([tagging(Entity("Berlin", "LOC", 0, 6, 1.0))], "'Berlin' is not at 0:6"),
        ([tagging(Entity("", "LOC", 1, 1, 1.0))], "is not at 1:1"),
        ([tagging(Entity("Ada", "PER", 0, 3, 1.0), Entity("da", "PER", 1, 3, 1.0))], "out of order"),
        ([None], "expected a Tagging, got NoneType"),
        ([Tagging(None, (), 0.0)], "expected entities and confidence"),  # type: ignore[arg-type]
        ([Tagging((), (), None)], "no number from 0 to 1"),  # type: ignore[arg-type]
        ([Tagging((), (), float("nan"))], "uncertainty nan"),
        ([Tagging((), (), Decimal("0.5"))], "no number from 0 to 1"),  # type: ignore[arg-type]
        ([Tagging((), (0.5, float("nan")), 0.0)], "confidence"),
        ([Tagging((), (7.0,), 0.0)], "confidence"),
        ([Tagging((), (np.float32(0.5),), 0.0)], "confidence"),
        ([tagging(Entity("Ada", "B-\ud800", 0, 3, 1.0))], "surrogates not allowed"),
        ([tagging(Entity("Ada", "", 0, 3, 1.0))], "expected a type"),
        ([tagging(Entity("Ada", "PER", 0, 99, 1.0))], "is not at 0:99"),
        ([tagging("Ada")], "expected an Entity, got str"),  # type: ignore[arg-type]
        ([tagging(Entity("Ada", "PER", None, 3, 1.0))], "is not at None:3"),  # type: ignore[arg-type]
        ([tagging(Entity("Ada", b"PER", 0, 3, 1.0))], "expected a type"),  # type: ignore[arg-type]
        ([tagging(Entity("Ada", "PER", 0, 3, float("nan")))], "expected a score"),
        ([tagging(Entity("Ada", "PER", 0, 3, True))], "expected a score"),
        ([tagging(Entity("Ada", "P" * 101, 0, 3, 1.0))], "of up to 100 characters"),
        ([Tagging((), (), True)], "uncertainty True"),
        ([tagging(Entity("Ada", "PER", 0, 3, Number(0.5)))], "expected a score"),
        ([Tagging((), (Number(0.5),), 0.0)], "confidence"),
    ],
)
def test_a_tagging_that_breaks_the_contract_is_a_failure_that_says_how(
    taggings: object, fault: str
) -> None:
    (result,) = tag_safely("broken", Broken(taggings), [FusionInput("Ada in Berlin")])
    assert isinstance(result, PluginFailed)
    assert fault in str(result)
    assert "'broken'" in str(result)


def test_the_batch_is_halved_until_the_bad_posts_stand_alone() -> None:
    model = FakeModel(raises_on="poison")
    texts = [f"Post {i}" + (" poison" if i in {3, 20, 21} else "") for i in range(32)]
    results = tag_safely("fake", model, [FusionInput(text) for text in texts])
    assert [i for i, result in enumerate(results) if isinstance(result, PluginFailed)] == [3, 20, 21]
    assert len(model.batches) < 32, "good posts stay in batches"


async def test_the_model_runs_in_one_thread_that_is_not_the_loop() -> None:
    import threading

    threads: set[str] = set()

    class Where(FakeModel):
        def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
            threads.add(threading.current_thread().name)
            return super().tag(batch)

    model = Where()
    runner = ThreadRunner("where", model)
    await runner.tag([FusionInput("a")])
    await runner.tag([FusionInput("b")])
    await runner.close()
    (name,) = threads
    assert name.startswith("plugin-where")


class Unspeakable(Exception):
    """Cannot even be told."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration(), Unspeakable()]
)
async def test_whatever_a_plugin_raises_costs_only_the_post(error: BaseException) -> None:
    class Raising(FakeModel):
        def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
            if any("poison" in post.text for post in batch):
                raise error
            return super().tag(batch)

    runner = ThreadRunner("raising", Raising())
    async with asyncio.timeout(20):
        good, bad = await runner.tag([FusionInput("Ada"), FusionInput("poison")])
    assert isinstance(good, Tagging)
    assert isinstance(bad, PluginFailed)
    assert type(error).__name__ in str(bad)
    await runner.close()


async def test_a_plugin_that_does_not_return_does_not_keep_the_process() -> None:
    program = (
        "import asyncio, threading\n"
        "from streamproc.fusion.api import FusionInput\n"
        "from streamproc.fusion.runner import ThreadRunner\n"
        "from streamproc.testing import FakeModel\n"
        "class Hanging(FakeModel):\n"
        "    def tag(self, batch): threading.Event().wait()\n"
        "async def main():\n"
        "    runner = ThreadRunner('hanging', Hanging())\n"
        "    task = asyncio.create_task(runner.tag([FusionInput('Ada')]))\n"
        "    await asyncio.sleep(0)\n"
        "    task.cancel()\n"
        "    await runner.close()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


@pytest.mark.parametrize(
    "given",
    [
        Tagging((Entity(Text("Ada"), Text("PER"), 0, 3, 0.5),), (0.5,), 0.25),
        Tagging((Entity(np.str_("Ada"), np.str_("PER"), 0, 3, np.float64(0.5)),), (np.float64(0.5),), 0.25),
        Tagging((OwnEntity("Ada", "PER", 0, 3, 0.5, object()),), (0.5,), 0.25),
        MoreTagging((Entity("Ada", "PER", 0, 3, 0.5),), (0.5,), 0.25, None, object()),
        Tagging([Entity("Ada", "PER", 0, 3, 0.5)], [0.5], 0.25),  # type: ignore[arg-type]
    ],
    ids=["strings", "numpy", "entity", "tagging", "lists"],
)
def test_what_is_nearly_a_tagging_becomes_one_of_plain_types(given: Tagging) -> None:
    (found,) = tag_safely("p", Broken([given]), [FusionInput("Ada")])
    assert found == Tagging((Entity("Ada", "PER", 0, 3, 0.5),), (0.5,), 0.25)
    assert isinstance(found, Tagging)
    (entity,) = found.entities
    values = (found, found.entities, found.confidence, entity, entity.text, entity.type, entity.score)
    assert [type(value) for value in values] == [Tagging, tuple, tuple, Entity, str, str, float]
    assert type(found.confidence[0]) is float


def test_a_list_that_changes_later_changes_nothing() -> None:
    entities = [Entity("Ada", "PER", 0, 3, 0.5)]
    (found,) = tag_safely("p", Broken([Tagging(entities, (), 0.0)]), [FusionInput("Ada")])  # type: ignore[arg-type]
    entities.clear()
    assert isinstance(found, Tagging)
    assert len(found.entities) == 1
