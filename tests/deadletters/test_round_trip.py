"""A plugin fails, its letters wait, it is mended, and they go round again: real workers, real Kafka."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployment import Deployment, body

PICKY = """
from streamproc.fusion.capitals import CapitalsModel, CapitalsPlugin


class PickyModel(CapitalsModel):
    def tag(self, batch):
        if any("Grace" in post.text for post in batch):
            raise RuntimeError("no Grace here")
        return super().tag(batch)


class Picky(CapitalsPlugin):
    def load(self, model_dir, device):
        return PickyModel(self.config)


class Mended(CapitalsPlugin):
    pass
"""


async def test_letters_are_tagged_after_the_plugin_is_mended_with_the_revision_of_their_first_reading(
    deploy: Callable[..., Deployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picky.py").write_text(PICKY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stream = deploy(**{"plugins.picky.plugin": "picky:Picky", "routes": '[{primary="picky"}]'})
    await stream.send({f"test:{n}": body(n, "Grace" if n % 3 == 0 else "Ada") for n in range(9)})
    await stream.send({"test:3": b'{"platform": "test", "id": "3", "op": "delete"}'})
    first = {
        r.key: (r.partition, r.offset) for r in await stream.read("posts", _holds(10)) if b"text" in r.value
    }
    worker = stream.start_worker()

    letters = await stream.read("deadletters", _holds(3))
    assert {r.key for r in letters} == {b"test:0", b"test:3", b"test:6"}
    told = await _replay(stream)
    assert (told["replayed"], told["deleted"]) == (2, 1)
    again = [r for r in await stream.read("deadletters", _holds(8)) if r.value and r not in letters]
    assert {(r.key, dict(r.headers)["__streamproc.attempts"]) for r in again} == {
        (b"test:0", b"2"), (b"test:6", b"2"),
    }  # fmt: skip

    told = await _replay(stream, "--max-attempts", "1")
    assert (told["replayed"], told["parked"]) == (0, 2)
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 30) == 0
    stream.settings["plugins.picky.plugin"] = "picky:Mended"
    stream.start_worker()
    assert (await _replay(stream, "--max-attempts", "1", "--parked"))["replayed"] == 2
    assert (await _replay(stream, "--parked"))["replayed"] == 0

    tagged = [json.loads(r.value) for r in await stream.read("entities", _holds(9))]
    created = {f"test:{post['post_id']}".encode(): post for post in tagged if post["op"] != "delete"}
    assert set(created) == set(first) - {b"test:3"}
    for key, post in created.items():
        partition, offset = first[key]
        assert post["revision"] == {"partition": partition, "offset": offset}
        assert f":{partition}-{offset}:" in post["idempotency_key"]
    assert [post["post_id"] for post in tagged if post["op"] == "delete"] == ["3"]
    assert {post["entities"][0]["text"] for post in tagged if post["post_id"] in "06"} == {"Grace"}


def _holds(number: int) -> Callable[[list[Any]], bool]:
    return lambda found: len(found) >= number


async def _replay(stream: Deployment, *arguments: str) -> dict[str, Any]:
    ended = await asyncio.to_thread(stream.run, "deadletters", "replay", "--json", *arguments)
    told: dict[str, Any] = json.loads(ended.stdout)
    return told
