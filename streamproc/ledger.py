"""Which offsets are safe to commit, and which keys are busy. Plain logic: no Kafka, no Faust.

Work on fetched records finishes in any order. A partition's `PartitionLedger` knows how far
everything is done, so that no commit passes an unfinished record. `KeyLanes` keeps two
messages of one key from being worked on at the same time, and in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar


class Record(Protocol):
    """A fetched Kafka record: what aiokafka's `ConsumerRecord` offers and we use."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970."""
        ...

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Batch:
    """Records of one partition in offset order, with one done flag each.

    `done` and `done_all` belong to the event loop's thread. They may be called at any time, in
    any order, more than once, and after the partition has moved away (they then do nothing).

    Attributes:
        annotated: whether the records say more than Kafka's do.
        records: the records, at least one.
        left: how many of them are unfinished.
        revoked: whether the records are another's by now: stop the work on them and send nothing more.
    """

    annotated: ClassVar[bool] = False

    __slots__ = ("__weakref__", "_flags", "_ledger", "_scan", "left", "records", "revoked")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.left = len(records)
        self._flags = bytearray(self.left)
        self._scan = 0
        self._ledger: PartitionLedger | None = None
        self.revoked = True

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    def belong_to(self, ledger: PartitionLedger | None) -> None:
        """A ledger has entered the batch, or (`None`) let go of it."""
        self._ledger = ledger
        self.revoked = ledger is None

    def done(self, *indices: int) -> None:
        """These records (0-based, within the batch) have ended: published, dead-lettered or skipped."""
        flags, ended = self._flags, 0
        for index in indices:
            if not flags[index]:
                flags[index] = 1
                ended += 1
        self.left -= ended
        if ended and self._ledger is not None:
            self._ledger.finished(ended)

    def done_all(self) -> None:
        """Every record of the batch has ended."""
        left, self.left = self.left, 0
        if left:
            self._flags = bytearray(b"\1") * len(self.records)
            if self._ledger is not None:
                self._ledger.finished(left)

    def first_open(self) -> int:
        """Index of the first unfinished record; the batch's length when there is none."""
        if not self.left:
            return len(self.records)
        # What was done stays done, so the search goes on from where it stopped the last time.
        self._scan = self._flags.find(0, self._scan)
        return self._scan


class PartitionLedger:
    """The batches of one partition under one assignment, oldest first.

    Args:
        finished: called with the number of records, each time that some are done.
        committed: the offset that the group had committed when the assignment began.
    """

    __slots__ = ("_batches", "_safe", "committed", "finished")

    def __init__(self, finished: Callable[[int], None], committed: int | None = None) -> None:
        self.finished = finished
        self.committed = committed
        """The last offset that the broker confirmed."""
        self._batches: deque[Batch] = deque()
        self._safe: int | None = None

    def __iter__(self) -> Iterator[Batch]:
        """The batches that may hold unfinished records, oldest first."""
        return iter(self._batches)

    @property
    def open(self) -> int:
        """How many records are unfinished."""
        return sum(batch.left for batch in self._batches)

    def add(self, batch: Batch) -> None:
        """Enter a batch that was fetched behind all earlier ones."""
        batch.belong_to(self)
        self._batches.append(batch)

    def safe(self) -> int | None:
        """The offset to commit: every record below it was done. Never less than the answer before it.

        None when no record was done yet.
        """
        batches, safe = self._batches, self._safe or 0
        while batches and not batches[0].left:
            # Offsets may have holes (compaction, transaction markers): what counts is the record.
            safe = max(safe, batches.popleft().records[-1].offset + 1)
        if batches and (index := batches[0].first_open()):
            safe = max(safe, batches[0].records[index].offset)
        self._safe = safe or None
        return self._safe

    def retract(self, batch: Batch) -> int:
        """Take back an unfinished batch that will be read again; returns how many records were open."""
        if batch._ledger is not self or not batch.left:
            return 0
        batch.belong_to(None)
        self._batches.remove(batch)
        return batch.left

    def revoke(self) -> int:
        """The partition is gone: lets go of every batch; returns how many records were open."""
        open_records = self.open
        for batch in self._batches:
            batch.belong_to(None)
        self._batches.clear()
        return open_records


KeyT = TypeVar("KeyT", bound=Hashable)
ItemT = TypeVar("ItemT")


class KeyLanes(Generic[KeyT, ItemT]):
    """One lane for each busy key: an item waits for the unfinished predecessor of its key.

    Whoever was admitted, or handed out by `release`, releases its key exactly once, in a
    `finally`, also when its partition was revoked meanwhile. So an item that is read again
    after a rebalance waits for what is still left of its first reading.
    """

    __slots__ = ("_lanes",)

    def __init__(self) -> None:
        self._lanes: dict[KeyT, deque[ItemT] | None] = {}

    def __len__(self) -> int:
        """How many keys are busy."""
        return len(self._lanes)

    def admit(self, key: KeyT, item: ItemT) -> bool:
        """Whether the item may start now; otherwise it waits until `release` hands it out."""
        lanes = self._lanes
        if key not in lanes:
            lanes[key] = None  # most keys never wait: no queue until one does
            return True
        lane = lanes[key]
        if lane is None:
            lane = lanes[key] = deque()
        lane.append(item)
        return False

    def release(self, key: KeyT) -> ItemT | None:
        """The item of this key that was running has ended; returns the next one, which starts now.

        Raises:
            KeyError: no item of this key is running.
        """
        lane = self._lanes[key]
        if lane:
            return lane.popleft()
        del self._lanes[key]
        return None
