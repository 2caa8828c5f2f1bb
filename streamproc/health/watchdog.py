"""Is the worker getting on? Plain logic over samples: no clock, no Kafka.

A worker can look alive and do nothing: its process runs, its group membership is fresh, and no post ends.
So what counts is progress, and whether there is anything to make progress with. A pause on purpose is
not stuck, however long the broker's own patience is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from streamproc.counting import counted


class State(StrEnum):
    """How a worker is."""

    STARTING = "starting"
    """Loading models, or not in the group yet."""
    WORKING = "working"
    IDLE = "idle"
    """In the group, and nothing to do."""
    PAUSED = "paused"
    """Posts wait, on purpose, and it goes on by itself."""
    STUCK = "stuck"
    """There is work, and nothing ends."""
    STOPPING = "stopping"
    """Told to end: finishes what was started."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A worker at one moment.

    Attributes:
        at: seconds, of a clock that only goes forward.
        finished: messages that have ended since the start.
        in_flight: messages that were read and have not ended.
        waiting: messages of its partitions that were not read yet, as the broker says now; `None` where it
            did not answer.
        uncommitted: messages that have ended, with all before them, and whose offset is not confirmed.
        committed: sum of the confirmed offsets of its partitions.
        assigned: how many partitions it has; `None` where it is not in the group.
        left_behind_s: for how long messages are on their way that far more others have overtaken than can
            be in flight; 0 where there are none.
        paused: what posts wait for on purpose; `None` where none does.
    """

    at: float
    finished: int
    in_flight: int
    waiting: int | None
    uncommitted: int
    committed: int
    assigned: int | None
    left_behind_s: float = 0.0
    paused: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How a worker is, why, and for how long, in seconds."""

    state: State
    reason: str
    for_s: float

    @property
    def ready(self) -> bool:
        """Whether posts come through it."""
        return self.state in (State.WORKING, State.IDLE)


class Watchdog:
    """Judges samples, one after another.

    Args:
        stuck_s: seconds without progress, while there is something to do, that make a worker stuck.
        max_pause_s: seconds after which a pause is taken for stuck, too, and single posts that all others
            overtook.
    """

    def __init__(self, stuck_s: float, max_pause_s: float) -> None:
        self._stuck_s = stuck_s
        self._max_pause_s = max_pause_s
        self._last: Sample | None = None
        self._ended_at = self._committed_at = self._joined_at = self._paused_at = 0.0
        self._went_on_at = -inf
        self._health = Health(State.STARTING, "not in the group yet", 0.0)
        self._since = 0.0

    def observe(self, sample: Sample) -> Health:
        """Judge the next sample."""
        self._note(sample)
        state, reason = self._judge(sample)
        if state is not self._health.state:
            self._since = sample.at
        self._health = Health(state, reason, sample.at - self._since)
        self._last = sample
        return self._health

    def _note(self, now: Sample) -> None:
        """When each thing was last as it should be."""
        if self._last is None:
            self._last = replace(now, paused=None)
            self._ended_at = self._committed_at = self._joined_at = self._since = now.at
        last = self._last
        if now.paused is not None and last.paused is None:
            self._paused_at = now.at
        anew = now.paused is not None or last.paused is not None
        nothing_to_do = not now.in_flight and (now.waiting == 0 or not now.assigned)
        if anew or nothing_to_do or now.finished != last.finished:
            self._ended_at = now.at
        if anew or not now.uncommitted or now.committed != last.committed:
            self._committed_at = now.at
        if anew:
            self._went_on_at = now.at
        if now.assigned is not None:
            self._joined_at = now.at

    def _judge(self, now: Sample) -> tuple[State, str]:
        if now.paused is not None:
            if now.at - self._paused_at > self._max_pause_s:
                return State.STUCK, f"paused for more than {self._max_pause_s:g} s: {now.paused}"
            return State.PAUSED, now.paused
        late = f"for {self._stuck_s:g} s"
        if now.at - self._joined_at > self._stuck_s:
            return State.STUCK, f"not in the consumer group {late}"
        if now.at - self._ended_at > self._stuck_s:
            if now.in_flight:
                return State.STUCK, f"none of {counted(now.in_flight, 'post')} in flight has ended {late}"
            if now.waiting is None:
                return State.STUCK, f"Kafka has not said {late} how many posts wait, and none was read"
            return State.STUCK, f"none of {counted(now.waiting, 'post')} waiting was read {late}"
        if now.at - self._committed_at > self._stuck_s:
            ended = counted(now.uncommitted, "post")
            return State.STUCK, f"{ended} ended, and no offset was committed {late}"
        if min(now.left_behind_s, now.at - self._went_on_at) > self._max_pause_s:
            return State.STUCK, f"all others overtook posts that are in flight for {self._max_pause_s:g} s"
        if now.assigned is None:
            return State.STARTING, "not in the consumer group yet"
        if now.in_flight or now.waiting:
            return State.WORKING, f"{counted(now.in_flight, 'post')} in flight, {now.waiting or 0} waiting"
        return State.IDLE, "no posts wait" if now.assigned else "other workers have all partitions"
