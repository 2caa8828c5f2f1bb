"""A plugin in a process of its own: whatever it does to that process, it costs the post it did it on."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from streamproc.errors import PluginFailed
from streamproc.fusion.api import FusionInput, FusionModel, Need, Tagging
from streamproc.fusion.isolation.process_runner import ProcessRunner
from streamproc.fusion.runner import BatchLost, Result
from streamproc.testing import CHECKS
from streamproc.vision.visuals import Seen
from tests.fusion.isolated import ends, inputs, names, running, settings, tag, tagger

pytestmark = [
    pytest.mark.usefixtures("misbehaving"),
    pytest.mark.skipif(sys.platform != "linux", reason="watches processes through Linux' pidfd"),
]


async def test_a_post_that_ends_the_process_is_given_up_and_all_others_are_tagged() -> None:
    reasons = {
        "segfault": "ended with SIGSEGV",
        "exit": "ended with status 3",
        "scribble": "wrote into the pipe of its process",
        "allocate": "needed more than 300 MB",
    }
    async with tagger(memory_mb=300) as asked:
        found = await tag(asked, "met Ada", *reasons, "in Berlin")
        assert (names(found["met Ada"]), names(found["in Berlin"])) == (["Ada"], ["Berlin"])
        for bad, reason in reasons.items():
            assert isinstance(found[bad], PluginFailed)
            assert str(found[bad]) == f"plugin 'bad' {reason} on this post"
        assert names((await tag(asked, "then Grace"))["then Grace"]) == ["Grace"]


async def test_a_post_that_does_not_come_to_an_end_is_given_up_and_the_others_are_tagged() -> None:
    async with tagger(deadline_s=2.0) as asked:
        found = await tag(asked, "met Ada", "hang", "dribble", "in Berlin")
        assert (names(found["met Ada"]), names(found["in Berlin"])) == (["Ada"], ["Berlin"])
        for bad in ("hang", "dribble"):
            assert str(found[bad]) == "plugin 'bad' took longer than 2 s on this post"
        assert names((await tag(asked, "then Grace"))["then Grace"]) == ["Grace"]


async def test_what_only_fails_within_the_process_does_not_cost_the_process() -> None:
    async with running() as model:
        pid = model.pid
        reasons = {
            "raise": "plugin 'bad' raised ValueError: told to",
            "sys.exit": "plugin 'bad' raised SystemExit: 3",
            "short": "plugin 'bad' raised ValueError: 0 taggings for 1 posts",
            "stranger": "plugin 'bad' gave what cannot be read: a misbehaving.OwnExplanation stays",
            "lambda": "plugin 'bad' gave results that cannot leave its process: RuntimeError('stays here')",
        }
        for text, reason in reasons.items():
            (failed,) = await model.tag(inputs(text))
            assert str(failed).startswith(reason), failed
        results = await model.tag(inputs("met Ada", "raise", "in Berlin", "short"))
        assert [type(result) for result in results] == [Tagging, PluginFailed, Tagging, PluginFailed]
        with pytest.raises(BatchLost):
            await model.tag(inputs("met Ada", "stranger"))
        assert model.pid == pid


async def test_a_plugin_that_forks_and_answers_twice_gives_no_post_the_tags_of_another() -> None:
    async with running() as model:
        for text in ("fork Ada", "met Grace", "in Berlin", "fork Kate", "then Oslo"):
            (result,) = await model.tag(inputs(text))
            assert names(result) == [text.split()[1]]


async def test_a_post_is_not_given_up_for_what_others_left_behind() -> None:
    async with running() as model:
        await model.tag(inputs("damage"))
        pid = model.pid
        assert names((await model.tag(inputs("fragile Ada")))[0]) == ["Ada"]
        assert model.pid != pid


async def test_a_process_that_holds_too_much_after_a_batch_is_replaced_and_no_post_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(memory_mb=300) as model:
        pids = set()
        for _ in range(6):
            pids.add(model.pid)
            (result,) = await model.tag(inputs("leak 90"))
            assert isinstance(result, Tagging)
        assert len(pids) > 1
    # Seen while the batch was tagged, or after it.
    assert "needed more than 300 MB" in caplog.text or "memory_mb is 300" in caplog.text


async def test_what_the_plugin_prints_and_logs_goes_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    async with running() as model:
        assert isinstance((await model.tag(inputs("print Ada")))[0], Tagging)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "printed by the plugin" in captured.err
    assert "WARNING misbehaving: logged by the plugin" in captured.err


async def test_a_process_that_the_plugin_started_neither_keeps_us_waiting_nor_stays(tmp_path: Path) -> None:
    async with running() as model:
        (failed,) = await model.tag(inputs(f"orphan {tmp_path / 'pid'}"))
        assert "ended with status 3" in str(failed)
        assert await asyncio.to_thread(ends, int((tmp_path / "pid").read_text()))


async def test_what_was_seen_arrives_as_it_was_sent() -> None:
    grid = np.random.default_rng(0).random((49, 2048)).astype(np.float16)
    turned = np.asfortranarray(grid)
    async with running() as model:
        for value in (grid, turned, grid[::2]):
            (result,) = await model.tag([FusionInput("Ada", ("en",), {"grid": Seen((value,))})])
            assert isinstance(result, Tagging)
            assert result.uncertainty == pytest.approx(value.astype(np.float64).mean(), abs=1e-12)


class Isolated(FusionModel):
    """The model of a process, as the contract suite knows models."""

    def __init__(self, model: ProcessRunner, loop: asyncio.Runner) -> None:
        self.modalities = {"grid": Need.OPTIONAL, "ocr": Need.OPTIONAL}
        self._model = model
        self._loop = loop

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [self._fine(result) for result in self._loop.run(self._model.tag(batch))]

    def explain(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        return [self._fine(result) for result in self._loop.run(self._model.tag(batch, explain=True))]

    def _fine(self, result: Result) -> Tagging:
        if isinstance(result, PluginFailed):
            raise result
        return result


def test_the_contract_holds_across_the_border() -> None:
    with asyncio.Runner() as loop:
        model = ProcessRunner("bad", settings())
        loop.run(model.start())
        try:
            for check in CHECKS:
                check(Isolated(model, loop))
        finally:
            loop.run(model.close())
