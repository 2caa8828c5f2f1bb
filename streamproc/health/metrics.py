"""What Prometheus is told of a worker, asked for at the moment of the scrape; names in this one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamproc.health.watchdog import Health, Sample, State
from streamproc.telemetry import Counts

if TYPE_CHECKING:
    from streamproc.transport import TP, Progress

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Observed(Protocol):
    """What there is to tell of a worker."""

    @property
    def health(self) -> Health:
        """As the watchdog judged it last."""
        ...

    @property
    def sample(self) -> Sample | None:
        """What it judged; `None` before the first."""
        ...

    def counts(self) -> Counts:
        """What the pipeline counted."""
        ...

    def progress(self) -> Mapping[TP, Progress]:
        """How far each assigned partition is."""
        ...


class WorkerMetrics(Collector):
    """The worker's figures as Prometheus' metric families.

    Args:
        observed: the worker.
    """

    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def collect(self) -> Iterable[Metric]:
        """All of them, as they are now."""
        yield from self._posts(self._observed.counts())
        yield from self._partitions(self._observed.progress())
        yield from self._state(self._observed.health)
        sample = self._observed.sample
        if sample is not None:
            yield _gauge("posts_in_flight", "Posts that were read and have not ended.", sample.in_flight)
            yield _gauge(
                "posts_uncommitted", "Posts that have ended and are not committed.", sample.uncommitted
            )
            if sample.waiting is not None:
                yield _gauge(
                    "posts_waiting", "Posts of the assigned partitions not read yet.", sample.waiting
                )

    def _posts(self, counts: Counts) -> Iterable[Metric]:
        yield _counter("posts_read", "Messages read.", counts.read)
        ended = CounterMetricFamily(
            "streamproc_posts_ended", "Messages that have ended, by how.", labels=["outcome", "reason"]
        )
        for outcome, count in (
            ("tagged", counts.tagged),
            ("deleted", counts.deleted),
            ("empty", counts.empty),
            ("given_away", counts.dropped),
        ):
            ended.add_metric([outcome, ""], count)
        for outcome, by_reason in (("skipped", counts.skipped), ("dead_letter", counts.dead)):
            for reason, count in sorted(by_reason.items()):
                ended.add_metric([outcome, reason], count)
        yield ended
        yield _counter("entities", "Entities published by primaries.", counts.entities)
        yield _counter("looks", "Posts whose pictures were looked at.", counts.looked)
        yield _counter("looks_waited", "Posts that waited for an extractor.", counts.waited)
        yield _counter("posts_tagged_twice", "Posts tagged again after a look.", counts.tagged_twice)
        yield _counter("shadow_failures", "Posts that a shadow failed on.", counts.shadow_failed)
        yield _counter("shadow_dropped", "Posts that a busy shadow did not get.", counts.shadow_dropped)

    def _partitions(self, progress: Mapping[TP, Progress]) -> Iterable[Metric]:
        labels = ["topic", "partition"]
        offsets = {
            name: GaugeMetricFamily(f"streamproc_{name}_offset", text, labels=labels)
            for name, text in (
                ("committed", "Offset that the broker confirmed for the group."),
                ("position", "Next offset to be handed out."),
                ("end", "Behind the partition's last record, as of the last fetch."),
            )
        }
        for tp, found in progress.items():
            place = [tp.topic, str(tp.partition)]
            for name, offset in (
                ("committed", found.committed),
                ("position", found.position),
                ("end", found.end),
            ):
                if offset is not None:
                    offsets[name].add_metric(place, offset)
        yield from offsets.values()

    def _state(self, health: Health) -> Iterable[Metric]:
        state = GaugeMetricFamily("streamproc_worker_state", "1 for how the worker is.", labels=["state"])
        for one in State:
            state.add_metric([one.value], float(one is health.state))
        yield state
        yield _gauge("worker_state_seconds", "For how long it has been so.", health.for_s)


def exposition(observed: Observed) -> bytes:
    """The figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkerMetrics(observed))
    return generate_latest(registry)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"streamproc_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"streamproc_{name}", text, value=value)
