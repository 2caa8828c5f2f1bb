"""`streamproc worker`: tag the posts of a topic until told to stop."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streamproc.cli.options import settings_from, settings_options
from streamproc.cli.quiet import Repeats
from streamproc.cycles import search_rarely

if TYPE_CHECKING:
    from streamproc.settings import Settings
    from streamproc.worker import Worker


_LONG_S: Final = 5
"""A worker without partitions after so long says so."""


@click.command("worker")
@settings_options
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
@click.pass_obj
def command(
    debug: bool, config: Path | None, assignments: tuple[str, ...], broker: str | None, log_level: str
) -> None:
    """Tag the posts of a Kafka topic.

    Ctrl-C or SIGTERM finishes what was started, commits and leaves the group; a second one ends at
    once. Several workers share the partitions.
    """
    level = "debug" if debug else log_level
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in (
        "faust",
        "mode",
        "streamproc.transport",
        "aiokafka",
        "kafka",
    ):
        logging.getLogger(noisy).setLevel(logging.INFO if debug else logging.WARNING)
    if not debug:
        logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(_is_no_rebalance)
        repeats = Repeats(["aiokafka", "streamproc.publishing"])
        for handler in logging.getLogger().handlers:
            handler.addFilter(repeats)
    search_rarely()
    asyncio.run(_run(settings_from(config, assignments, broker)))


def _is_no_rebalance(record: logging.LogRecord) -> bool:
    """Not what aiokafka says every two seconds while others join, or what we have is finished for them."""
    return "because it is rebalancing" not in str(record.msg)


async def _run(settings: Settings) -> None:
    from streamproc.worker import Worker

    worker = Worker(settings)
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        """Ask for the end; who asks again does not wait for it, whatever holds it up."""
        if worker.stop_requested:
            logging.getLogger("streamproc.worker").warning(
                "ended at once: posts under way are read again by the next worker"
            )
            logging.shutdown()
            os._exit(128 + number)
        logging.getLogger("streamproc.worker").info(
            "stopping: finishing %d posts, for up to %g s; a second signal ends at once",
            worker.in_flight, settings.limits.drain_s,
        )  # fmt: skip
        worker.request_stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    async with asyncio.TaskGroup() as tasks, _ended_when_deaf(settings.health.exit_s):
        try:
            reporting: list[asyncio.Task[None]] = []

            def report() -> None:
                told = (_report(worker, settings), _report_partitions(worker, settings))
                reporting.extend(map(tasks.create_task, told))

            await worker.run(started=report)
        finally:
            for task in reporting:
                task.cancel()
            _log_totals(worker)


@asynccontextmanager
async def _ended_when_deaf(seconds: float) -> AsyncIterator[None]:
    """End the process with every thread's traceback when the event loop stands still for so long.

    Nothing in Python can see to that: whatever holds the interpreter holds up all of its threads.
    """
    if not seconds:
        yield
        return

    async def say_that_it_turns() -> None:
        while True:
            faulthandler.dump_traceback_later(seconds, exit=True)
            await asyncio.sleep(min(1.0, seconds / 4))

    turning = asyncio.create_task(say_that_it_turns())
    try:
        yield
    finally:
        turning.cancel()
        faulthandler.cancel_dump_traceback_later()


async def _report(worker: Worker, settings: Settings) -> None:
    """Say when work begins, then how it goes, as long as it goes."""
    log = logging.getLogger("streamproc.worker")
    for notice in worker.notices:
        log.info("%s", notice)
    log.info("reading %s as group %s", settings.topics.posts, settings.kafka.group)
    before = 0
    while worker.pipeline is not None:
        await asyncio.sleep(10.0)
        counts = worker.pipeline.counts
        if counts.finished != before:
            rate = (counts.finished - before) / 10.0
            before = counts.finished
            log.info(
                "%d posts tagged, %d dead letters, %.1f posts/s, lag %d",
                counts.tagged, counts.dead.total(), rate, worker.lag(),
            )  # fmt: skip
            _log_looks(log, worker)


async def _report_partitions(worker: Worker, settings: Settings) -> None:
    """Say which partitions are ours, when that changes, and when there are none."""
    log = logging.getLogger("streamproc.worker")
    before: list[int] = []
    for second in count():
        await asyncio.sleep(1.0)
        now = sorted(tp.partition for tp in worker.progress())
        if now and now != before:
            log.info("partitions of %s: %s", settings.topics.posts, ", ".join(map(str, now)))
        elif not now and (before or second == _LONG_S):
            log.info(
                "no partitions of %s: others have them, or a worker that is gone still counts (up to %g s)",
                settings.topics.posts, settings.kafka.session_timeout_s,
            )  # fmt: skip
        before = now


def _log_totals(worker: Worker) -> None:
    if worker.pipeline is not None:
        counts = worker.pipeline.counts
        logging.getLogger("streamproc.worker").info(
            "stopped: %d posts read, %d tagged, %d entities, %d deleted, %d empty, %d skipped, "
            "%d dead letters, %d given away",
            counts.read, counts.tagged, counts.entities, counts.deleted, counts.empty,
            counts.skipped.total(), counts.dead.total(), counts.dropped,
        )  # fmt: skip
        _log_looks(logging.getLogger("streamproc.worker"), worker)


def _log_looks(log: logging.Logger, worker: Worker) -> None:
    """What looking at pictures came to, if anybody looked."""
    from streamproc.vision.look import Looker

    looker = worker.pipeline.looks.looker if worker.pipeline is not None else None
    if isinstance(looker, Looker):
        totals = {name: total for name, total in looker.pictures.totals().items() if total}
        if totals:
            log.info("pictures: %s", ", ".join(f"{total} {name}" for name, total in totals.items()))
