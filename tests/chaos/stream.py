"""A stream under test: its topics, its workers, the posts that come in meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streamproc.broker.link import Link
from streamproc.broker.topics import admin_client
from streamproc.errors import BrokerError
from tests.chaos.audit import Books, audit
from tests.chaos.observer import Observer
from tests.chaos.posts import PLUGIN, fate, made
from tests.chaos.workers import Broken, Process, until
from tests.services.kafka import Kafka

PARTITIONS: Final = 4
AHEAD: Final = 600
"""Posts that wait at most: more than a worker has in flight, so that each fault meets some on their way."""
CHUNK: Final = 50
DRAIN_S: Final = 5.0

_SETTINGS: Final[Mapping[str, object]] = {
    "kafka.session_timeout_s": 2,
    "kafka.commit_interval_s": 0.3,
    "topics.partitions": PARTITIONS,
    "limits.in_flight": 400,
    "limits.fetch_posts": 100,
    "limits.drain_s": DRAIN_S,
    "batching.posts": 32,
    "batching.wait_ms": 5,
    f"plugins.{PLUGIN}.plugin": "tests.chaos.plugin:ChaosPlugin",
}
_ROUTES: Final = (
    'routes = [{when={text="^skip "}, primary="none"}, {primary="' + PLUGIN + '", look="never"}]\n'
)


class Stream:
    """Use as an async context manager: topics are made then, and at the end no process is left.

    Args:
        kafka: the broker.
        folder: for settings and logs, an empty one.
        settings: beside those that every stream here has; names with dots.
        deeds: words of posts that make the plugin misbehave, and how many posts there are to one of them.

    Attributes:
        environment: of the workers, beside ours.
        recover_s: how long each recovery took.
    """

    def __init__(
        self,
        kafka: Kafka,
        folder: Path,
        settings: Mapping[str, object] | None = None,
        deeds: Mapping[str, int] | None = None,
    ) -> None:
        self.kafka = kafka
        self.folder = folder
        self.name = name = f"c{uuid4().hex[:8]}"
        self.posts, self.entities, self.letters = f"{name}.posts", f"{name}.entities", f"{name}.dead"
        self.config = folder / "streamproc.toml"
        self.environment: dict[str, str] = {}
        self.recover_s: list[float] = []
        self.observer = Observer(kafka.bootstrap, name, self.posts, self.entities, self.letters, PARTITIONS)
        self._deeds = deeds or {}
        self._processes: list[Process] = []
        self._acknowledged: list[tuple[bytes, bytes]] = []
        self._skips = 0
        self._sending = asyncio.Lock()
        self._enough = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
        self._feeding: asyncio.Task[None] | None = None
        own = {
            "kafka.broker": kafka.bootstrap,
            "kafka.group": name,
            "topics.posts": self.posts,
            "topics.entities": self.entities,
            "topics.shadow": f"{name}.shadow",
            "topics.deadletters": self.letters,
        }
        lines = [
            f"{key} = {json.dumps(value)}"
            for key, value in {**_SETTINGS, **own, **(settings or {})}.items()
        ]
        self.config.write_text("\n".join(lines) + "\n" + _ROUTES)

    async def __aenter__(self) -> Stream:
        for topic in (self.posts, self.entities, self.letters):
            await self.kafka.create(topic, PARTITIONS)
        await self.observer.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        tasks = [*self._keepers, *filter(None, [self._feeding])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in self._processes:
            if process.runs:
                process.kill()
        await self.observer.__aexit__(*error)

    # -- processes ---------------------------------------------------------------------------

    def run(self, *arguments: str) -> Process:
        """Start a command of streamproc."""
        log = self.folder / f"{len(self._processes)}.log"
        process = Process([*arguments, "--config", str(self.config)], log, self.environment)
        self._processes.append(process)
        return process

    def start_worker(self) -> Process:
        return self.run("worker")

    def keep(self, workers: int = 1) -> None:
        """Start workers, and another one whenever one ends unasked, as whoever runs them does."""
        self._keepers += [asyncio.create_task(self._keep()) for _ in range(workers)]

    async def _keep(self) -> None:
        worker = self.start_worker()
        while not worker.asked_to_end:
            if not worker.runs:
                worker = self.start_worker()
            await asyncio.sleep(0.05)

    @property
    def exits(self) -> list[str]:
        """Last words of workers that ended unasked, or not as they were asked to."""
        ended = [process for process in self._processes if not process.runs]
        return [process.last_words() for process in ended if process.failed]

    async def members(self) -> list[int]:
        """How many partitions each member of the group has, in ascending order."""
        return await asyncio.to_thread(self._members)

    def _members(self) -> list[int]:
        try:
            with admin_client(Link(self.kafka.bootstrap)) as client:
                members = client.describe_groups([self.name])[self.name]["members"]
        except BrokerError:
            return []
        assigned = [(m["member_assignment"] or {}).get("assigned_partitions", []) for m in members]
        return sorted(sum(len(topic["partitions"]) for topic in topics) for topics in assigned)

    async def shared_by(self, workers: int, seconds: float = 90.0) -> None:
        """Wait until so many workers have all partitions between them.

        Faust gives four partitions to three workers as 2, 2 and 0.
        """
        async with asyncio.timeout(seconds):
            while True:
                found = await self.members()
                idle = found.count(0)
                if (len(found), sum(found), idle) == (workers, PARTITIONS, max(0, workers - 2)):
                    return
                await asyncio.sleep(0.1)

    # -- posts -------------------------------------------------------------------------------

    def feed(self, posts: int) -> None:
        """Send posts from now on, about as fast as they come out, until it is `enough`.

        Args:
            posts: how many at least.
        """
        self._feeding = asyncio.create_task(self._feed(posts))

    def enough(self) -> None:
        """Send no more than what `feed` was told."""
        self._enough.set()

    @property
    def fed(self) -> bool:
        """Whether all posts are in Kafka."""
        if self._feeding is not None and self._feeding.done():
            self._feeding.result()
            return True
        return False

    async def _feed(self, posts: int) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap, enable_idempotence=True, metadata_max_age_ms=1000
        )
        await producer.start()
        try:
            start = 0
            while start < posts or not self._enough.is_set():
                while start - self.observer.ended - self._skips > AHEAD:
                    await asyncio.sleep(0.01)
                async with self._sending:
                    await self._send(producer, range(start, start + CHUNK))
                start += CHUNK
        finally:
            await producer.stop()

    async def _send(self, producer: Any, numbers: range) -> None:
        messages = [made(number, self._deeds) for number in numbers]
        while messages:
            sent = [producer.send_and_wait(self.posts, value, key) for key, value in messages]
            told = await asyncio.gather(*sent, return_exceptions=True)
            left = []  # may be in Kafka or not; what counts is what is there
            for message, answer in zip(messages, told, strict=True):
                if isinstance(answer, KafkaError):
                    left.append(message)
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    self._acknowledged.append(message)
                    self._skips += fate(message[1]).end == "skip"
            messages = left

    # -- conditions --------------------------------------------------------------------------

    async def more(self, posts: int, seconds: float = 90.0) -> None:
        """Wait until so many more posts have come out."""
        wanted = self.observer.ended + posts
        await until(lambda: self.observer.ended >= wanted, f"{posts} more posts have come out", seconds)

    async def recovered(self, seconds: float = 120.0, everywhere: bool = False) -> None:
        """The fault ends now: wait until offsets are committed again, and note how long it took.

        Args:
            seconds: when to give up.
            everywhere: whether each partition has to have its offset committed, not just one.
        """
        begin = monotonic()
        async with asyncio.timeout(seconds):
            before = await self.observer.look()

        def goes_on() -> bool:
            now = self.observer.now.committed
            moved = [now.get(number, 0) > before.committed.get(number, 0) for number in before.ends]
            return all(moved) if everywhere else any(moved)

        await until(goes_on, "offsets are committed again", seconds)
        self.recover_s.append(round(monotonic() - begin, 2))

    async def fails(self, exits: int, saying: str, seconds: float = 150.0) -> None:
        """Wait until workers have ended unasked so many times in all, for this reason."""
        await until(lambda: len(self.exits) >= exits, f"{exits} workers have given up", seconds)
        if others := [words for words in self.exits if saying not in words]:
            raise Broken(f"workers were to end saying {saying!r}, and said {others}")

    async def hold(self) -> None:
        """Send nothing more until `resume`, and wait until all that was sent has ended and was read."""
        await self._sending.acquire()
        async with asyncio.timeout(90.0):
            while (await self.observer.look()).lag or not await self.observer.reads_all():
                await asyncio.sleep(0.1)

    def resume(self) -> None:
        self._sending.release()

    async def finished(self, seconds: float = 300.0) -> None:
        """Send what is left to send, and wait until all of it is committed."""
        self.enough()
        await until(lambda: self.fed, "all posts are in Kafka", seconds)
        await self.observer.look()
        await until(lambda: not self.observer.now.lag, "nothing lags", seconds)

    async def end(self) -> None:
        """Ask all workers to end, and wait for them; then see that all was read."""
        for process in self._processes:
            if process.runs:
                process.thaw()
                process.ask_to_end()
        for process in self._processes:
            await process.ended(DRAIN_S + 15.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(30.0):
                while not await self.observer.reads_all():
                    await asyncio.sleep(0.1)
        await self.observer.look()

    def books(self, too_large: bool) -> Books:
        """What became of each post."""
        return audit(self.observer, self._acknowledged, too_large)
