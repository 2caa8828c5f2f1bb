"""How a batch travels through Faust: as the value of one event, behind one message that stands for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from faust import Schema
from faust.types import TP, ConsumerMessage

from streamproc.ledger import Batch, Record


def _nobody(_: frozenset[TP]) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """How much is fetched ahead, and what happens when partitions move.

    Attributes:
        max_in_flight: records handed out and unfinished, all partitions together.
        drain_timeout: seconds that a rebalance or a stop waits for started batches.
        on_revoked: called on the loop's thread with partitions whose batches are now void
            (`Batch.revoked`): drop what waits of them.
    """

    max_in_flight: int = 8000
    drain_timeout: float = 10.0
    on_revoked: Callable[[frozenset[TP]], None] = _nobody


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition is. Offsets; None where not known yet.

    Attributes:
        committed: what the broker confirmed for the group.
        position: the next record to be handed out.
        end: behind the partition's last record, as of the last fetch.
    """

    committed: int | None
    position: int | None
    end: int | None


class BatchMessage(ConsumerMessage):  # type: ignore[misc]  # Faust carries no types
    """What stands for a batch within Faust, at its last record's offset."""

    __slots__ = ("_batch",)

    def carry(self, batch: Batch) -> None:
        """Set the batch to be delivered."""
        self._batch: Batch | None = batch

    def deliver(self) -> Batch | None:
        """The batch; kept no longer, or batch and message would hold each other in memory."""
        batch, self._batch = self._batch, None
        return batch

    def on_final_ack(self, consumer: Any) -> bool:
        """An ack does nothing: only `Batch.done` counts. Stock would commit the last record."""
        return False


class HandedBatch(Batch):
    """A batch on its way through Faust.

    Attributes:
        message: that stands for it.
        handed_at: `time.monotonic()` of when it was handed out.
        finished_before: how many records the consumer's batches had finished then.
    """

    __slots__ = ("finished_before", "handed_at", "message")

    def __init__(self, records: Sequence[Record], message: BatchMessage, finished_before: int) -> None:
        super().__init__(records)
        self.message = message
        self.handed_at = monotonic()
        self.finished_before = finished_before

    @property
    def started(self) -> bool:
        """Whether an agent got it. What is still in a stream's queue is cleared at a rebalance."""
        return bool(self.message.tracked)


class BatchSchema(Schema):  # type: ignore[misc]
    """Marks a topic as fed in batches: nothing is decoded, `event.value` is the `Batch`."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Any]:
        """The function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: BatchMessage, *, propagate: bool = False) -> Any:
            return create_event(None, message.deliver(), None, message)

        return decode
