"""Looks after a running worker: a sample every moment, the watchdog's word, and the end of a stuck one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from streamproc.errors import BrokerError, WorkerStuck
from streamproc.health.watchdog import Health, Sample, State, Watchdog
from streamproc.settings import Health as HealthSettings
from streamproc.telemetry import Counts

if TYPE_CHECKING:
    from streamproc.pipeline import Pipeline
    from streamproc.transport import TP, BatchConsumer, Progress

logger = logging.getLogger(__name__)

EVERY_S: Final = 2.0
ANSWER_S: Final = 5.0
"""How long the broker may take to say how much there is to read."""

SILENT_S: Final = 10.0
"""From when on it is said that Kafka does not answer."""

_STOPPING: Final = Health(State.STOPPING, "finishing what was started", 0.0)
_STARTING: Final = Health(State.STARTING, "loading models and connecting", 0.0)


class Watching:
    """What is known of a worker's health.

    Args:
        settings: how long is too long.

    Attributes:
        health: as judged last.
        sample: what was judged.
    """

    def __init__(self, settings: HealthSettings) -> None:
        self.health = _STARTING
        self.sample: Sample | None = None
        self._settings = settings
        self._watchdog = Watchdog(settings.stuck_s, settings.max_pause_s)
        self._every_s = min(EVERY_S, settings.stuck_s / 5)
        self._consumer: BatchConsumer | None = None
        self._pipeline: Pipeline | None = None
        self._answered_at: float | None = None
        self._away = False

    async def watch(self, app: Any, pipeline: Pipeline) -> None:
        """Look after a worker until cancelled.

        Args:
            app: the Faust app, started or about to be.
            pipeline: the worker's.

        Raises:
            WorkerStuck: it has work and gets nowhere, for `exit_s` by now.
        """
        self._pipeline = pipeline
        while True:
            consumer: BatchConsumer | None = app.consumer
            if consumer is not None and consumer.connected:
                self._consumer = consumer
                before = self.health.state
                self.sample = await self._look(consumer)
                self.health = self._watchdog.observe(self.sample)
                self._tell(before)
            await asyncio.sleep(self._every_s)

    def stops(self) -> None:
        """The worker was told to end; nobody watches any more."""
        self.health = _STOPPING

    def counts(self) -> Counts:
        """What the pipeline counted."""
        return self._pipeline.counts if self._pipeline is not None else Counts()

    def progress(self) -> Mapping[TP, Progress]:
        """How far each assigned partition is."""
        return self._consumer.progress() if self._consumer is not None else {}

    async def _look(self, consumer: BatchConsumer) -> Sample:
        waiting: int | None = None
        assigned: int | None = len(consumer.assignment())
        try:
            async with asyncio.timeout(ANSWER_S):
                assigned, waiting = await consumer.standing()
        except (TimeoutError, BrokerError) as error:
            logger.debug("no answer about what waits: %r", error)
            self._tell_of_silence()
        else:
            self._tell_of_answer()
        return Sample(
            at=monotonic(),
            finished=consumer.finished_total,
            in_flight=consumer.in_flight,
            waiting=waiting,
            uncommitted=consumer.uncommitted,
            committed=sum(found.committed or 0 for found in consumer.progress().values()),
            assigned=assigned,
            left_behind_s=consumer.left_behind_s,
            paused=consumer.waiting_for,
        )

    def _tell_of_silence(self) -> None:
        if self._answered_at is None or self._away or monotonic() - self._answered_at < SILENT_S:
            return
        self._away = True
        settings = self._settings
        end = f"; the worker ends after {settings.exit_s:g} s (health.exit_s)" if settings.exit_s else ""
        logger.warning(
            "Kafka has not answered for %.0f s: asked again until it does%s",
            monotonic() - self._answered_at,
            end,
        )

    def _tell_of_answer(self) -> None:
        if self._away and self._answered_at is not None:
            logger.warning("Kafka answers again, after %.0f s", monotonic() - self._answered_at)
        self._away, self._answered_at = False, monotonic()

    def _tell(self, before: State) -> None:
        """Log what changed; end what is stuck for too long."""
        health, settings = self.health, self._settings
        if health.state is State.STUCK:
            if settings.exit_s and health.for_s >= settings.exit_s - settings.stuck_s:
                raise WorkerStuck(
                    f"stuck: {health.reason}: the worker ends, so that another one can take over; what it "
                    "had not finished is read again (health.exit_s)"
                )
            if before is not State.STUCK:
                logger.error("stuck: %s", health.reason)
        elif before is State.STUCK:
            logger.warning("not stuck any more: %s", health.reason)
        elif State.PAUSED in (health.state, before) and health.state is not before:
            logger.warning("%s: %s", health.state, health.reason)
