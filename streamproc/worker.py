"""The worker: a Faust app with one agent, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

import faust

from streamproc.broker.connecting import needed_topics, require_topics
from streamproc.broker.link import Link
from streamproc.broker.refusals import refusal
from streamproc.cycles import pass_over_what_is_loaded, search_rarely
from streamproc.errors import BrokerError
from streamproc.health.watching import Watching
from streamproc.kafka_sink import KafkaSink
from streamproc.ledger import Batch
from streamproc.pipeline import Pipeline
from streamproc.producing import BatchProducer
from streamproc.settings import Settings
from streamproc.transport import BatchSchema, Fetching, Progress, install
from streamproc.transport.tables import NoTables
from streamproc.wiring import open_pipeline, open_taggers, triton_notices

logger = logging.getLogger(__name__)

WATCH_S: Final = 1.0
"""How often the group membership is looked after."""


class Worker:
    """Reads `posts`, and sees to it that each one ends.

    Use `run`, or `start` and `stop` within a loop of your own.

    Args:
        settings: all of them.
        picture_folder: where `file:` pictures may be read; the worker command gives none.
    """

    def __init__(self, settings: Settings, *, picture_folder: Path | None = None) -> None:
        self._settings = settings
        self._picture_folder = picture_folder
        self._stack = AsyncExitStack()
        self._link = Link.of(settings.kafka)
        self._failure: BaseException | None = None
        self._ended = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._app: Any = None
        self._watchers: tuple[asyncio.Task[None], ...] = ()
        self.watching = Watching(settings.health)
        self.pipeline: Pipeline | None = None
        self.notices: tuple[str, ...] = ()

    async def run(self, started: Callable[[], object] = lambda: None) -> None:
        """Work until `request_stop`.

        Args:
            started: called once the first posts can come.

        Raises:
            StreamprocError: the work cannot go on; what was not finished is read again by the next
                worker.
        """
        starting = asyncio.create_task(self.start())
        ending = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                started()
            await self.wait()
        finally:
            for task in (starting, ending):
                task.cancel()
            await asyncio.gather(starting, ending, return_exceptions=True)
            await self.stop()

    @property
    def stop_requested(self) -> bool:
        """Whether the end was asked for, or has come."""
        return self._ended.is_set()

    def request_stop(self) -> None:
        """End `run`: finish what was started, commit, leave the group."""
        self._ended.set()

    async def start(self) -> None:
        """Load the plugins and connect; then join the group: partitions come to who can work on them."""
        settings = self._settings
        if settings.health.listen:
            from streamproc.health.server import health_server  # a web server is not for every worker

            port = await self._stack.enter_async_context(
                health_server(settings.health.listen, self.watching)
            )
            logger.info("health: http://%s:%d/ready", settings.health.listen.rpartition(":")[0], port)
        producer = BatchProducer(self._link)
        taggers, servers, _ = await _together(
            self._stack.enter_async_context(open_taggers(settings)),
            triton_notices(settings.vision),
            self._connect(producer),
        )
        self.notices = (*dict.fromkeys(t.notice for t in taggers.values() if t.notice), *servers)
        sink = KafkaSink(producer, settings.topics)
        self.pipeline = await self._stack.enter_async_context(
            open_pipeline(
                settings, sink, taggers, picture_folder=self._picture_folder, paused=self._waits_for
            )
        )
        search_rarely()
        pass_over_what_is_loaded()
        self._app = self._make_app()
        self._stack.push_async_callback(self._leave)
        # Faust's start waits for the group, which may never take us: look after it from the beginning.
        self._watchers = (
            asyncio.create_task(self._watch_app(), name="watch-faust"),
            asyncio.create_task(self._watch_progress(self.pipeline), name="watch-progress"),
        )
        await self._app.start()

    async def _connect(self, producer: BatchProducer) -> None:
        await require_topics(self._settings, needed_topics(self._settings))
        await self._stack.enter_async_context(producer)

    async def wait(self) -> None:
        """Until somebody asks for the end, or the work cannot go on."""
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Finish what was started, commit, leave the group, close everything."""
        await self._stack.aclose()

    def progress(self) -> dict[Any, Progress]:
        """How far each assigned partition is, without asking the broker."""
        consumer = self._app.consumer if self._app is not None else None
        return consumer.progress() if consumer is not None else {}

    @property
    def in_flight(self) -> int:
        """Posts that were read and have not ended."""
        consumer = self._app.consumer if self._app is not None else None
        return int(consumer.in_flight) if consumer is not None else 0

    def lag(self) -> int:
        """Posts of the assigned partitions that have not ended: not read yet, or on their way."""
        consumer = self._app.consumer if self._app is not None else None
        if consumer is None:
            return 0
        # Of a partition that was just assigned nobody knows yet where it will be read from.
        ends = ((p.end, p.position) for p in self.progress().values())
        unread = sum(max(0, end - at) for end, at in ends if end is not None and at is not None)
        return unread + self.in_flight

    # -- Faust ------------------------------------------------------------------------------

    def _make_app(self) -> Any:
        settings = self._settings
        logging.getLogger("aiokafka").setLevel(logging.WARNING)  # at DEBUG it costs a third of the time
        app = faust.App(
            settings.kafka.group,
            broker=[f"kafka://{address}" for address in self._link.servers],
            broker_credentials=self._link.faust_credentials(),
            stream_wait_empty=True,
            broker_max_poll_records=settings.limits.fetch_posts,
            broker_commit_interval=settings.kafka.commit_interval_s,
            broker_session_timeout=settings.kafka.session_timeout_s,
            broker_heartbeat_interval=settings.kafka.session_timeout_s / 5,
            consumer_auto_offset_reset="earliest",
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            TableManager=NoTables,
            datadir=str(Path(gettempdir()) / "streamproc-faust"),
        )
        install(app, Fetching(settings.limits.in_flight, settings.limits.drain_s))
        posts = app.topic(settings.topics.posts, schema=BatchSchema())

        async def tag(stream: Any) -> AsyncIterator[None]:
            async for event in stream.noack().events():
                self._process(event.value)
                yield

        app.agent(posts, name="tag", concurrency=1)(tag)
        return app

    def _process(self, batch: Batch | None) -> None:
        """Start the work on a batch. The transport hands out no more than may be in flight."""
        if batch is None or self.pipeline is None:
            return
        task = asyncio.create_task(self.pipeline.process(batch))
        self._running.add(task)
        task.add_done_callback(self._processed)

    def _waits_for(self, what: str | None) -> None:
        """Posts wait on purpose: neither the broker nor the watchdog may take that for stuck."""
        if self._app is not None and self._app.consumer is not None:
            self._app.consumer.waits_for(what)

    def _processed(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = refusal(error, self._link) or error
            logger.error("the work cannot go on: %r", self._failure)
        self._ended.set()

    async def _watch_app(self) -> None:
        """See that Faust runs and that the broker has us in the group."""
        stopped = asyncio.create_task(self._app.wait_until_stopped())
        try:
            while not (await asyncio.wait([stopped], timeout=WATCH_S))[0]:
                await self._app.consumer.check_group()
        except BrokerError as error:
            self._fail(error)
        finally:
            stopped.cancel()
        if self._app.crashed:
            reason = self._app.crash_reason
            failure = BrokerError(f"Faust stopped: {reason!r}")
            failure.__cause__ = reason
            self._fail(failure)

    async def _watch_progress(self, pipeline: Pipeline) -> None:
        """See that posts end; a watchdog that fails ends the worker, too: nobody would see to it."""
        try:
            await self.watching.watch(self._app, pipeline)
        except Exception as error:  # noqa: BLE001 - told by whoever runs the worker
            self._fail(error)

    async def _leave(self) -> None:
        """Drain, commit and leave the group; work that takes longer is read again by others."""
        for task in self._watchers:
            task.cancel()
        self.watching.stops()
        if self._failure is not None and self._app.consumer is not None:
            self._app.consumer.give_up()
        await self._app.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._watchers, *self._running, return_exceptions=True)


async def _together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of all, or the error of the first of them that has one; none goes on behind its back."""
    tasks = [asyncio.create_task(part) for part in work]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
