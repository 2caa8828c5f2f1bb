"""A plugin's process begins and ends with its worker, and is started again as often as is sensible."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from streamproc.errors import PluginError, PluginFailed
from streamproc.fusion.api import Need
from streamproc.fusion.process_runner import ProcessRunner
from streamproc.fusion.runner import BatchLost
from streamproc.fusion.supervision import STARTS, Supervised
from streamproc.fusion.tagger import Tagger
from streamproc.settings import Batching
from tests.fusion.isolated import HERE, ends, inputs, names, settings, supervised, tag, tagger

pytestmark = [
    pytest.mark.usefixtures("misbehaving"),
    pytest.mark.skipif(sys.platform != "linux", reason="watches processes through Linux' pidfd"),
]


def test_the_process_says_what_the_plugin_is_and_closes_the_model(tmp_path: Path) -> None:
    model = Supervised("bad", settings(config={"closed": str(tmp_path / "closed")}))
    facts = model.start()
    assert (facts.name, facts.version, facts.modalities["grid"]) == ("bad", "7", Need.OPTIONAL)
    assert "misbehaving" not in sys.modules, "the worker does not import the plugin"
    pid = model.pid
    model.close()
    assert (tmp_path / "closed").exists()
    assert pid is not None
    assert ends(pid)


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


def test_a_plugin_that_does_not_start_again_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with supervised(config={"broken": str(tmp_path / "broken")}) as model:
        (tmp_path / "broken").touch()
        assert isinstance(model.tag(inputs("exit"))[0], PluginFailed)
        with pytest.raises(
            PluginError, match=f"does not start again, tried {STARTS} times: ended with SIGSEGV"
        ):
            model.tag(inputs("Ada"))
        assert caplog.text.count("'bad' does not start again") == STARTS
        (tmp_path / "broken").unlink()
        assert names(model.tag(inputs("Ada"))[0]) == ["Ada"]


def test_a_process_that_was_killed_while_it_had_nothing_to_do_costs_no_post(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with supervised() as model:
        assert model.pid is not None
        os.kill(model.pid, signal.SIGKILL)
        assert ends(model.pid)
        assert [names(result) for result in model.tag(inputs("Ada", "Grace"))] == [["Ada"], ["Grace"]]
    assert "tagged again" not in caplog.text


def test_signals_that_are_for_the_worker_do_not_end_the_process() -> None:
    with supervised() as model:
        pid = model.pid
        assert pid is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        assert names(model.tag(inputs("Ada"))[0]) == ["Ada"]
        assert model.pid == pid


async def test_who_stops_waiting_for_a_batch_leaves_nothing_half_said() -> None:
    runner = ProcessRunner("bad", settings())
    await runner.start()
    pid = runner.pid
    waiting = asyncio.create_task(runner.tag(inputs("slow Ada")))
    await asyncio.sleep(0)
    waiting.cancel()
    assert names((await runner.tag(inputs("then Grace")))[0]) == ["Grace"]
    assert runner.pid == pid
    await runner.close()


async def test_micro_batches_of_a_quick_model_share_a_message_and_a_lost_one_costs_each_its_turn() -> None:
    runner = ProcessRunner("bad", settings())
    await runner.start()
    child = runner._supervised._child
    assert child is not None

    async def asked(*posts: str, quick: int) -> list[Any]:
        """Micro-batches of one post each that came while the thread was busy."""
        free = threading.Event()

        def busy() -> None:
            free.wait(60)

        runner._thread.put(busy)
        runner._at_once = quick
        tasks = [asyncio.create_task(runner.tag(inputs(post, "and nobody"))) for post in posts]
        await asyncio.sleep(0)
        free.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    told = await asked("Ada", "Grace", "Marie", quick=3)
    assert [[names(result) for result in one] for one in told] == [
        [[x], []] for x in ("Ada", "Grace", "Marie")
    ]
    assert child.requests == 1
    await asked("slow Ada", quick=1)
    assert (runner._at_once, child.requests) == (1, 2), "a slow one goes alone"
    kept, lost = await asked("Ada", "exit", quick=2)
    assert (names(kept[0]), type(lost)) == (["Ada"], BatchLost), "the other one is asked by itself"
    assert names((await runner.tag(inputs("Ada")))[0]) == ["Ada"]
    await runner.close()


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
    runner = ProcessRunner("bad", settings())
    await runner.start()
    waiting = asyncio.create_task(runner.tag(inputs("hang")))
    await asyncio.sleep(0)
    waiting.cancel()
    pid = runner.pid
    await runner.close()
    assert pid is not None
    assert await asyncio.to_thread(ends, pid)


WORKER = """
import sys
from streamproc.fusion.api import FusionInput
from streamproc.fusion.supervision import Supervised
from streamproc.settings import PluginSettings
model = Supervised("bad", PluginSettings(plugin="misbehaving:MisbehavingPlugin", isolation="process"))
model.start()
print(model.pid, flush=True)
model.tag([FusionInput(sys.argv[1])])
print("tagged", flush=True)
sys.stdin.read()
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
