"""The demo from its start to its end: broker, worker, feed and a reader, all of them real."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.live import Live

from streamproc.broker.embedded import EmbeddedBroker
from streamproc.broker.link import Link
from streamproc.broker.topics import create_topics
from streamproc.counting import counted
from streamproc.demo.scene import Scene, WatchedLooker, open_reader, read_into
from streamproc.demo.table import live_view, print_row, summary
from streamproc.errors import InputError
from streamproc.feeds.api import BadLine
from streamproc.feeds.file import FileConfig, FileFeed
from streamproc.feeds.ingest import ingest
from streamproc.kafka_sink import post_sender
from streamproc.producing import BatchProducer
from streamproc.settings import Settings
from streamproc.telemetry import Counts
from streamproc.vision.look import Looker
from streamproc.worker import Worker

SAMPLES: Final = Path(__file__).parent / "samples" / "posts.jsonl"
QUIET_S: Final = 60.0
"""The demo gives up when nothing ended for so long: something must be wrong."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given.

    `rate` is posts a second; 0 is as fast as it goes.
    """

    posts: Path
    broker: str | None
    follow: bool
    plain: bool
    rate: float


async def run_demo(settings: Settings, options: Options, console: Console) -> int:
    """Run the demo; returns how many posts were fed and did not end.

    Raises:
        StreamprocError: a part cannot be had; says what to do.
    """
    async with _broker(settings, options.broker) as ready:
        worker = Worker(ready, picture_folder=options.posts.parent)
        scene = Scene(ready.topics)
        console.print(f"starting a worker on {ready.kafka.broker} ...", style="dim", highlight=False)
        reader = await open_reader(Link.of(ready.kafka), ready.topics)
        try:
            await worker.start()
            return await _show(worker, scene, reader, ready, options, console)
        finally:
            await worker.stop()
            await reader.stop()


@asynccontextmanager
async def _broker(settings: Settings, address: str | None) -> AsyncIterator[Settings]:
    """The settings with a broker that runs and has the demo's own topics."""
    names = {
        "posts": "demo.posts", "entities": "demo.entities",
        "shadow": "demo.entities.shadow", "deadletters": "demo.posts.deadletters",
    }  # fmt: skip
    topics = settings.topics.model_copy(update=names)
    kafka = settings.kafka.model_copy(update={"group": "streamproc-demo"})
    settings = settings.model_copy(update={"topics": topics, "kafka": kafka})
    if address is not None:
        given = kafka.model_copy(update={"broker": address})
        settings = settings.model_copy(update={"kafka": given})
        await asyncio.to_thread(create_topics, settings)
        yield settings
        return
    with EmbeddedBroker() as broker:
        for topic in names.values():
            await asyncio.to_thread(broker.create_topic, topic)
        embedded = kafka.model_copy(update={"broker": broker.address})
        yield settings.model_copy(update={"kafka": embedded})


async def _show(
    worker: Worker, scene: Scene, reader: Any, settings: Settings, options: Options, console: Console
) -> int:
    pipeline = worker.pipeline
    if pipeline is None:
        raise RuntimeError("the worker has started and has no pipeline")
    looker = pipeline.looks.looker
    pipeline.looks.looker = WatchedLooker(looker, scene)
    head = f"{options.posts.name} → {settings.topics.posts} → worker → {settings.topics.entities}"
    if options.follow:
        head += f"   (Ctrl-C ends; feed it: streamproc ingest jsonl FILE --broker {settings.kafka.broker}"
        head += f" --set topics.posts={settings.topics.posts})"
    with Display(worker, scene, options, console, head) as draw:
        fed = await _feed_and_watch(worker, scene, reader, settings, options, draw)
    for line in scene.bad_lines:
        console.print(f"{options.posts.name}, {line}", style="red", markup=False, highlight=False)
    extracted = looker.pictures.counts.extracted if isinstance(looker, Looker) else 0
    console.print(summary(scene, pipeline.counts, extracted, worker.lag(), worker.notices))
    return max(0, fed - pipeline.counts.finished)


async def _feed_and_watch(
    worker: Worker,
    scene: Scene,
    reader: Any,
    settings: Settings,
    options: Options,
    draw: Callable[[], None],
) -> int:
    """Feed the posts and watch them come out; returns how many were fed."""
    enough = asyncio.Event()
    if options.follow:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, enough.set)
    feeding = asyncio.create_task(_feed(settings, options, scene))
    ending = asyncio.create_task(worker.wait())
    last, ended = monotonic(), 0
    try:
        while not ending.done() and not enough.is_set():
            await read_into(scene, reader, 0.2)
            draw()
            if scene.ended != ended or options.follow:
                last, ended = monotonic(), scene.ended
            finished = feeding.done() and scene.ended >= feeding.result()
            if (finished and not options.follow) or monotonic() - last > QUIET_S:
                break
        if ending.done():
            ending.result()
        return await feeding
    finally:
        for task in (feeding, ending):
            task.cancel()
        await asyncio.gather(feeding, ending, return_exceptions=True)


async def _feed(settings: Settings, options: Options, scene: Scene) -> int:
    """Send the posts of the file, evenly in time; returns how many there were."""
    feed = FileFeed(FileConfig(path=str(options.posts)))
    async with BatchProducer(Link.of(settings.kafka)) as producer:
        deliver = post_sender(producer, settings.topics.posts)

        async def send(messages: list[tuple[bytes, bytes]]) -> Sequence[int]:
            refused: list[int] = []
            for index, message in enumerate(messages):
                refused += [index] * len(await deliver([message]))
                if options.rate:
                    await asyncio.sleep(1 / options.rate)
            return refused

        def complain(bad: BadLine) -> None:
            scene.bad_lines.append(f"line {bad.line}: {bad.error}")

        report = await ingest(feed, send, on_bad_line=complain)
    if not report.delivered:
        none = counted(report.bad_lines, "line that is none", "lines that are none")
        raise InputError(f"{options.posts}: no posts in it ({none})")
    return report.delivered


class Display:
    """A live table on a terminal, lines otherwise; gives the function that draws what is new."""

    def __init__(self, worker: Worker, scene: Scene, options: Options, console: Console, head: str) -> None:
        self._worker, self._scene, self._console, self._head = worker, scene, console, head
        self._live = None if options.plain else Live(console=console, auto_refresh=False, screen=True)
        self._printed = 0

    def __enter__(self) -> Callable[[], None]:
        if self._live is not None:
            self._live.start()
        else:
            self._console.print(self._head, style="dim", highlight=False, soft_wrap=True)
        return self._draw

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._console.print(self._view())  # what stays when the live screen is gone

    def _draw(self) -> None:
        scene = self._scene
        if self._live is None:
            fresh = scene.ended - self._printed
            for row in scene.rows[-fresh:] if fresh else ():
                print_row(self._console, row)
            self._printed = scene.ended
            return
        self._live.update(self._view(), refresh=True)

    def _view(self) -> RenderableType:
        counts = self._worker.pipeline.counts if self._worker.pipeline is not None else Counts()
        return live_view(self._scene, counts, self._worker.lag(), self._console.size.height, self._head)
