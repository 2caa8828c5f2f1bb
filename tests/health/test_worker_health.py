"""What a running worker says of itself, and how a stuck one ends: real Kafka, workers as processes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import Deployment, body, ids

STUCK = """
import time
from streamproc.fusion.capitals import CapitalsModel, CapitalsPlugin

class StuckModel(CapitalsModel):
    def tag(self, batch):
        if any("STOP" in post.text for post in batch):
            time.sleep(3600)
        return super().tag(batch)

class Stuck(CapitalsPlugin):
    def load(self, model_dir, device):
        return StuckModel(self.config)

class DeafModel(CapitalsModel):
    def tag(self, batch):
        if any("STOP" in post.text for post in batch):
            ctypes.PyDLL(None).sleep(3600)  # holds the interpreter's lock
        return super().tag(batch)

import ctypes

class Deaf(CapitalsPlugin):
    def load(self, model_dir, device):
        return DeafModel(self.config)
"""


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def until_ready(port: int, wanted: Callable[[int, dict[str, Any]], bool]) -> dict[str, Any]:
    """What `/ready` says once it is what is wanted."""
    deadline = time.monotonic() + 60
    said: tuple[int, str] | OSError = OSError("never asked")
    while time.monotonic() < deadline:
        try:
            said = await asyncio.to_thread(get, port, "/ready")
        except OSError as error:
            said = error
        else:
            told: dict[str, Any] = json.loads(said[1])
            if wanted(said[0], told):
                return told
        await asyncio.sleep(0.1)
    pytest.fail(f"/ready said {said} last")


async def test_a_worker_says_that_it_is_ready_and_what_it_did(deploy: Callable[..., Deployment]) -> None:
    port = free_port()
    stream = deploy(**{"health.listen": f"127.0.0.1:{port}"})
    await stream.send({f"test:{i}": body(i) for i in range(40)} | {"bad": b"{"})
    stream.start_worker()
    assert len(ids(await stream.read("entities", lambda found: len(found) >= 40))) == 40
    told = await until_ready(port, lambda status, told: status == 200 and told["state"] == "idle")
    assert told["reason"] == "no posts wait"
    assert await asyncio.to_thread(get, port, "/live") == (200, '{"live": true}')
    status, text = await asyncio.to_thread(get, port, "/metrics")
    assert status == 200
    lines = set(text.splitlines())
    assert "streamproc_posts_read_total 41.0" in lines
    assert 'streamproc_posts_ended_total{outcome="tagged",reason=""} 40.0' in lines
    assert 'streamproc_posts_ended_total{outcome="dead_letter",reason="MalformedPost"} 1.0' in lines
    assert 'streamproc_worker_state{state="idle"} 1.0' in lines
    posts = stream.settings["topics.posts"]
    ends = [line for line in lines if line.startswith('streamproc_end_offset{partition="')]
    assert sum(float(line.split()[-1]) for line in ends) == 41
    assert all(f'topic="{posts}"' in line for line in ends)


async def test_a_worker_that_was_told_to_end_says_so(
    deploy: Callable[..., Deployment], stuck: None
) -> None:
    port = free_port()
    stream = deploy(
        **{
            "plugins.stuck.plugin": "stuck:Stuck",
            "routes": '[{primary="stuck"}]',
            "health.listen": f"127.0.0.1:{port}",
        }
    )
    await stream.send({"test:1": body(1, "STOP Berlin")})
    worker = stream.start_worker()
    await until_ready(port, lambda status, told: status == 200 and told["state"] == "working")
    worker.send_signal(signal.SIGTERM)
    told = await until_ready(port, lambda status, told: status == 503 and told["state"] == "stopping")
    assert told["reason"] == "finishing what was started"
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 128 + signal.SIGTERM


async def test_a_worker_whose_posts_do_not_end_is_not_ready_and_then_exits_for_another_one(
    deploy: Callable[..., Deployment], stuck: None
) -> None:
    port = free_port()
    stream = deploy(
        **{
            "plugins.stuck.plugin": "stuck:Stuck",
            "plugins.stuck.isolation": "thread",
            "routes": '[{primary="stuck"}]',
            "health.listen": f"127.0.0.1:{port}",
            "health.stuck_s": "1.5",
            "health.exit_s": "6",
            "limits.drain_s": "0",
        }
    )
    worker = stream.start_worker()
    await stream.send({"test:1": body(1)})
    assert ids(await stream.read("entities", bool)) == {"1"}
    await stream.send({"test:2": body(2, "STOP Berlin")})
    told = await until_ready(port, lambda status, told: status == 503 and told["state"] == "stuck")
    assert told["reason"] == "none of 1 post in flight has ended for 1.5 s"
    assert await asyncio.to_thread(worker.wait, 60) == 1
    assert "error: stuck: none of 1 post in flight has ended" in stream.logs().splitlines()[-1]
    stream.settings["routes"] = '[{primary="capitals"}]'
    stream.start_worker()
    assert ids(await stream.read("entities", lambda found: len(found) >= 2)) == {"1", "2"}


async def test_a_plugin_that_holds_the_interpreter_ends_the_worker_too(
    deploy: Callable[..., Deployment], stuck: None
) -> None:
    stream = deploy(
        **{
            "plugins.deaf.plugin": "stuck:Deaf",
            "plugins.deaf.isolation": "thread",
            "routes": '[{primary="deaf"}]',
            "health.stuck_s": "8",
            "health.exit_s": "8",
        }
    )
    worker = stream.start_worker()
    await stream.send({"test:1": body(1, "STOP")})
    assert await asyncio.to_thread(worker.wait, 90) == 1
    assert "Timeout" in stream.logs()
    assert "stuck.py" in stream.logs()  # where it stood


async def test_an_idle_worker_stays(deploy: Callable[..., Deployment]) -> None:
    port = free_port()
    stream = deploy(**{"health.listen": f"127.0.0.1:{port}", "health.stuck_s": "4", "health.exit_s": "4"})
    worker = stream.start_worker()
    await until_ready(port, lambda _, told: told["state"] == "idle" and told["for_s"] > 5)
    assert worker.poll() is None


async def test_an_address_that_is_taken_is_said(deploy: Callable[..., Deployment]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stream = deploy(**{"health.listen": f"127.0.0.1:{taken.getsockname()[1]}"})
        ended = await asyncio.to_thread(stream.run, "worker", check=False)
    assert ended.returncode == 2
    assert "health.listen" in ended.stderr.splitlines()[-1]
