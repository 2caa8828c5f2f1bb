"""A disk that is full where a feed keeps its state. A worker keeps none: all of its state is in Kafka."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from tests.chaos.outcome import Bounds
from tests.chaos.scenario import Scenario
from tests.chaos.stream import Stream
from tests.chaos.workers import Broken
from tests.feeds.jetstream import DID, NOW, Jetstream, commit

EVENTS: Final = 600
SPACING: Final = 1000
"""Microseconds between two events."""
OVERLAP: Final = 50
"""Events before its state that a feed reads again."""


class Disk:
    """A small disk that can be full: one of its own where we may mount it.

    Elsewhere what the feed is about to write is a link to the device that is always full.

    Args:
        folder: where it is, and where the state is kept.
    """

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.state = folder / "state.json"
        filler = folder / "filler"
        self._blocked_by = filler if mounted else folder / "state.json.new"
        self._mounted = mounted

    def delivered(self) -> int:
        """How many events the state knows to be delivered."""
        cursor = int(json.loads(self.state.read_bytes())["cursor"])
        return (cursor - NOW) // SPACING + 1

    @contextmanager
    def full(self) -> Iterator[None]:
        """Nothing more can be written meanwhile."""
        if self._mounted:
            with suppress(OSError), self._blocked_by.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
        else:
            self._blocked_by.symlink_to("/dev/full")
        try:
            yield
        finally:
            self._blocked_by.unlink()


@contextmanager
def _disk(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "chaos", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(folder, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


async def _fill(stream: Stream, times: int) -> None:
    """A feed whose state cannot be kept says so and ends; the next one goes on from the last state."""
    stream.keep()
    events = [
        commit(str(number), NOW + number * SPACING, text=f"Ada met Post{number} in Version0")
        for number in range(EVENTS * times)
    ]

    async def replay(socket: web.WebSocketResponse, request: web.Request) -> None:
        begin = int(request.query.get("cursor", 0))
        for event in events:
            if event["time_us"] >= begin:
                await socket.send_json(event)
        async for _ in socket:
            pass

    with _disk(stream.folder / "disk") as disk:
        async with Jetstream(replay) as server:
            for _ in range(times):
                await _ingest(stream, server, disk, EVENTS // 3)
                with disk.full():
                    await _ingest(stream, server, disk, EVENTS // 3, fails=True)
                await stream.recovered()
            await _ingest(stream, server, disk, EVENTS * times - disk.delivered() + OVERLAP)
    keys = {f"bluesky:{DID}/{number}".encode() for number in range(EVENTS * times)}
    await stream.hold()
    missing = keys - {record.key for record in stream.observer.records[stream.posts]}
    if missing:
        raise Broken(f"{len(missing)} events never came to Kafka")
    stream.resume()


async def _ingest(
    stream: Stream, server: Jetstream, disk: Disk, limit: int, *, fails: bool = False
) -> None:
    """Run a feed until it has delivered so many, or ends because it cannot keep where it stands."""
    feed = stream.run(
        "ingest", "bluesky", "--url", server.url, "--cursor", str(NOW), "--overlap-seconds",
        str((OVERLAP - 1) * SPACING / 1e6),
        "--state", str(disk.state), "--limit", str(limit),
    )  # fmt: skip
    code: Any = await feed.ended()
    if fails != bool(code) or (fails and "cannot write" not in feed.last_words()):
        raise Broken(f"ingest: {feed.last_words()}")
    feed.forgive()


SCENARIOS: Final = (
    Scenario(
        "disk-full", "the disk with the state of a feed is full for a while (streamproc ingest --state)",
        _fill, times=3, posts=0, bounds=Bounds(repeats=False),
    ),
)  # fmt: skip
