"""A plugin's process begins and ends with its worker, and is started again as often as is sensible."""

import asyncio
import errno
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.errors import PluginError, PluginFailed
from streamproc.fusion.api import FusionInput, Need
from streamproc.fusion.isolation.child_process import ChildLost, ChildProcess
from streamproc.fusion.isolation.process_runner import ProcessRunner
from streamproc.fusion.isolation.supervision import STARTS
from streamproc.fusion.runner import BatchLost
from streamproc.fusion.tagger import Tagger
from streamproc.settings import Batching
from streamproc.vision.visuals import Seen
from tests.fusion.isolated import HERE, ends, inputs, names, running, settings, tag, tagger

pytestmark = [
    pytest.mark.usefixtures("misbehaving"),
    pytest.mark.skipif(sys.platform != "linux", reason="watches processes through Linux' pidfd"),
]


async def test_the_process_says_what_the_plugin_is_and_closes_the_model(tmp_path: Path) -> None:
    model = ProcessRunner("bad", settings(config={"closed": str(tmp_path / "closed")}))
    facts = await model.start()
    assert (facts.name, facts.version, facts.modalities["grid"]) == ("bad", "7", Need.OPTIONAL)
    assert "misbehaving" not in sys.modules, "the worker does not import the plugin"
    pid = model.pid
    await model.close()
    assert (tmp_path / "closed").exists()
    assert pid is not None
    assert await asyncio.to_thread(ends, pid)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"config": {"load": "segfault"}}, "plugin 'bad' ended with SIGSEGV while it started"),
        ({"config": {"load": "raise"}}, "plugin 'bad' failed to load its model: ValueError"),
        ({"config": {"lod": "x"}}, "plugins.bad.config: lod: Extra inputs are not permitted"),
        ({"memory_mb": 8}, "MB when it is loaded: plugins.bad.memory_mb has to be more"),
    ],
)
async def test_a_plugin_that_cannot_start_says_why(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PluginError, match=complaint):
        await Tagger.open("bad", settings(**given), Batching())


async def test_a_plugin_that_does_not_start_again_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(config={"broken": str(tmp_path / "broken")}) as model:
        (tmp_path / "broken").touch()
        assert isinstance((await model.tag(inputs("exit")))[0], PluginFailed)
        with pytest.raises(
            PluginError, match=f"does not start again, tried {STARTS} times: ended with SIGSEGV"
        ):
            await model.tag(inputs("Ada"))
        assert caplog.text.count("'bad' does not start again") == STARTS
        (tmp_path / "broken").unlink()
        assert names((await model.tag(inputs("Ada")))[0]) == ["Ada"]


async def test_a_process_that_was_killed_while_it_had_nothing_to_do_costs_no_post(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running() as model:
        assert model.pid is not None
        os.kill(model.pid, signal.SIGKILL)
        assert await asyncio.to_thread(ends, model.pid)
        assert [names(result) for result in await model.tag(inputs("Ada", "Grace"))] == [["Ada"], ["Grace"]]
    assert "tagged again" not in caplog.text


async def test_signals_that_are_for_the_worker_do_not_end_the_process() -> None:
    async with running() as model:
        pid = model.pid
        assert pid is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        assert names((await model.tag(inputs("Ada")))[0]) == ["Ada"]
        assert model.pid == pid


async def test_who_stops_waiting_for_a_batch_leaves_nothing_half_said() -> None:
    async with running() as model:
        pid = model.pid
        waiting = asyncio.create_task(model.tag(inputs("slow Ada")))
        await asyncio.sleep(0)
        waiting.cancel()
        assert names((await model.tag(inputs("then Grace")))[0]) == ["Grace"]
        assert model.pid == pid


async def test_a_micro_batch_that_is_lost_costs_none_of_those_that_were_sent_with_it() -> None:
    ended: list[str] = []

    async def tagged(model: ProcessRunner, text: str) -> Any:
        try:
            return await model.tag(inputs(text, "and nobody"))
        finally:
            ended.append(text)

    texts = ("Ada", "Grace", "hang", "Marie", "exit", "Kate")
    async with running(deadline_s=2.0) as model:
        told = await asyncio.gather(*(tagged(model, text) for text in texts), return_exceptions=True)
    for text, result in zip(texts, told, strict=True):
        if text in ("hang", "exit"):
            assert isinstance(result, BatchLost)
        else:
            assert [names(one) for one in result] == [[text], []]
    assert ended == list(texts), "who has an answer waits for nobody"


async def test_what_was_answered_counts_although_the_next_request_cannot_be_written() -> None:
    child = await ChildProcess.spawn("bad", settings())
    try:
        await child.facts(60)
        child.ask(inputs("Ada"), False)
        assert child._answers is not None
        assert select.select([child._answers.get_extra_info("pipe")], [], [], 30)[0]
        child.kill()
        assert ends(child.pid)
        child.ask(inputs("Grace"), False)
        assert names((await child.answer(inputs("Ada")))[0]) == ["Ada"]
        with pytest.raises(ChildLost, match="ended with SIGKILL"):
            await child.answer(inputs("Grace"))
    finally:
        await child.close(0)


async def test_the_deadline_is_for_each_micro_batch_however_many_wait() -> None:
    async with running(deadline_s=2.0) as model:
        pid = model.pid
        told = await asyncio.gather(*(model.tag(inputs("slow Ada")) for _ in range(12)))
        assert [names(result) for (result,) in told] == [["Ada"]] * 12
        assert model.pid == pid


async def test_a_worker_that_stood_still_does_not_hold_it_against_the_plugin() -> None:
    async with running(deadline_s=0.5) as model:
        pid = model.pid
        waiting = asyncio.create_task(model.tag(inputs("Ada")))
        await asyncio.sleep(0)
        time.sleep(1.0)  # noqa: ASYNC251 - as a process that is stopped and goes on
        assert names((await waiting)[0]) == ["Ada"]
        assert model.pid == pid


async def test_a_plugin_may_use_its_own_objects_again_for_the_next_batch() -> None:
    people = ["Ada", "Grace", "Marie", "Kate"] * 8
    async with running() as model:
        told = await asyncio.gather(*(model.tag(inputs(f"reuse {name}")) for name in people))
    assert [names(result) for (result,) in told] == [[name] for name in people]


async def test_pictures_do_not_pile_up_before_a_process_that_is_busy() -> None:
    grid = np.zeros((49, 2048), np.float32)
    async with running() as model:
        posts = [FusionInput(f"slow Ada {n}", ("en",), {"grid": Seen((grid,))}) for n in range(4)]
        pending = {asyncio.create_task(model.tag([post])) for post in posts}
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            assert [names(task.result()[0]) for task in done] == [["Ada"]]
            assert len(model._sent) == min(1, len(pending))


async def test_whatever_ends_the_runner_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as model:
        waiting = asyncio.create_task(model.tag(inputs("slow Ada")))
        await asyncio.sleep(0)

        async def broken(_: ChildProcess, __: object) -> list[Any]:
            raise ZeroDivisionError

        monkeypatch.setattr(ChildProcess, "answer", broken)
        for asked in (waiting, model.tag(inputs("Grace"))):
            with pytest.raises(PluginError, match="plugin 'bad' cannot be asked any more: ZeroDivision"):
                await asked


async def test_a_batch_that_cannot_be_sent_costs_no_other() -> None:
    async with running() as model:
        pid = model.pid
        with pytest.raises(TypeError, match="pickle"):
            await model.tag([FusionInput("Ada", (), {"grid": threading.Lock()})])  # type: ignore[dict-item]
        assert names((await model.tag(inputs("Grace")))[0]) == ["Grace"]
        assert model.pid == pid


async def test_no_descriptors_left_for_a_while_costs_no_post(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = os.pipe

    def none_left() -> tuple[int, int]:
        monkeypatch.setattr(os, "pipe", pipe)
        raise OSError(errno.EMFILE, "Too many open files")

    async with running() as model:
        assert isinstance((await model.tag(inputs("exit")))[0], PluginFailed)
        assert names((await model.tag(inputs("Ada")))[0]) == ["Ada"]
        os.kill(model.pid or 0, signal.SIGKILL)
        assert await asyncio.to_thread(ends, model.pid)
        monkeypatch.setattr(os, "pipe", none_left)
        assert names((await model.tag(inputs("Grace")))[0]) == ["Grace"]


async def test_a_plugin_that_is_closed_says_so() -> None:
    async with running() as model:
        waiting = asyncio.create_task(model.tag(inputs("hang")))
        await asyncio.sleep(0)
    for asked in (waiting, model.tag(inputs("Ada"))):
        with pytest.raises(PluginError, match="plugin 'bad' is closed"):
            await asked


@pytest.mark.parametrize("fault", ["stranger", "exit"])
async def test_a_post_that_spoils_its_message_costs_only_itself(fault: str) -> None:
    texts = [
        f"{fault} {number}" if number in (90, 91, 300) else f"met Ada {number}" for number in range(400)
    ]
    async with tagger(batching=Batching(posts=4, wait_ms=0)) as quick:
        found = await tag(quick, *texts)
    failed = [text for text, result in found.items() if isinstance(result, PluginFailed)]
    assert sorted(failed) == sorted(text for text in texts if fault in text)
    assert all(names(found[text]) == ["Ada"] for text in texts if text not in failed)
    assert len(found) == len(texts)


async def test_a_batch_that_does_not_end_does_not_keep_the_runner_from_closing() -> None:
    async with running() as model:
        waiting = asyncio.create_task(model.tag(inputs("hang")))
        await asyncio.sleep(0)
        waiting.cancel()
        pid = model.pid
    assert pid is not None
    assert await asyncio.to_thread(ends, pid)


WORKER = """
import asyncio, sys
from streamproc.fusion.api import FusionInput
from streamproc.fusion.isolation.process_runner import ProcessRunner
from streamproc.settings import PluginSettings

async def main():
    plugin = PluginSettings(plugin="misbehaving:MisbehavingPlugin", isolation="process")
    model = ProcessRunner("bad", plugin)
    await model.start()
    print(model.pid, flush=True)
    await model.tag([FusionInput(sys.argv[1])])
    print("tagged", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


@pytest.mark.parametrize("busy", [False, True])
def test_the_process_goes_with_its_worker_also_when_native_code_is_at_work(busy: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, "hang-natively" if busy else "Ada"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(Path.cwd())])},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as worker:  # fmt: skip
        assert worker.stdout is not None
        assert worker.stderr is not None
        pid = int(worker.stdout.readline())
        if busy:
            assert worker.stderr.readline() == "begun\n"
        else:
            assert worker.stdout.readline() == "tagged\n"
        worker.kill()
    assert ends(pid)
