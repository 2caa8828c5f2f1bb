"""The ledger and the key lanes against naive models: any order of completion, any revocation."""

from __future__ import annotations

from collections import defaultdict

import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamproc.ledger import Batch, KeyLanes, PartitionLedger


def record(offset: int, key: bytes = b"k") -> ConsumerRecord:
    return ConsumerRecord("posts", 0, offset, 0, 0, key, b"{}", None, 0, 0, ())


class LedgerAgainstModel(RuleBasedStateMachine):
    """The model is a plain list of (offset, done): the safe offset follows from looking at all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.finished = 0
        self.expected_finished = 0
        self.next_offset = 0
        self.begin_assignment()

    def count(self, records: int) -> None:
        self.finished += records

    def begin_assignment(self) -> None:
        self.ledger = PartitionLedger(self.count)
        self.batches: list[Batch] = []
        self.done: dict[int, bool] = {}
        self.told: int | None = None

    def model_bounds(self) -> tuple[int, int] | None:
        """Lowest and highest right answer: behind the last record that is done without an open one
        before it, up to the first open one (there may be a hole between them). What was told once
        holds, also when a batch that had begun is taken back and read again."""
        behind = ahead = self.told
        for offset, done in sorted(self.done.items()):
            if not done:
                ahead = None if behind is None else max(behind, offset)
                break
            behind = ahead = max(offset + 1, self.told or 0)
        return None if behind is None or ahead is None else (behind, ahead)

    def check_safe(self) -> None:
        safe, bounds = self.ledger.safe(), self.model_bounds()
        assert safe is None if bounds is None else bounds[0] <= (safe or 0) <= bounds[1]
        self.told = safe

    @rule(gaps=st.lists(st.integers(0, 3), min_size=1, max_size=6))
    def fetch(self, gaps: list[int]) -> None:
        offsets = []
        for gap in gaps:
            offsets.append(self.next_offset + gap)
            self.next_offset = offsets[-1] + 1
        batch = Batch([record(offset) for offset in offsets])
        self.ledger.add(batch)
        self.batches.append(batch)
        self.done.update(dict.fromkeys(offsets, False))

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def finish_one(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(self.batches))
        index = data.draw(st.integers(0, len(batch) - 1))
        self.expected_finished += not self.done[batch[index].offset]
        self.done[batch[index].offset] = True
        batch.done(index)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def finish_batch(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(self.batches))
        self.expected_finished += sum(not self.done[r.offset] for r in batch)
        self.done.update({r.offset: True for r in batch})
        batch.done_all()

    @rule()
    def commit(self) -> None:
        self.check_safe()

    @rule()
    def finish_everything(self) -> None:
        for batch in self.batches:
            for index in reversed(range(len(batch))):
                batch.done(index)
        self.expected_finished += sum(not done for done in self.done.values())
        self.done = dict.fromkeys(self.done, True)
        if self.done:
            assert self.ledger.safe() == max(self.done) + 1

    @precondition(lambda self: self.batches)
    @rule()
    def retract_the_last(self) -> None:
        """Only what was added last is ever taken back, and only while some of it is open."""
        batch = self.batches[-1]
        left = batch.left
        assert self.ledger.retract(batch) == left
        if left:
            self.batches.pop()
            assert batch.revoked
            for r in batch:
                del self.done[r.offset]
            self.next_offset = batch[0].offset

    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        self.check_safe()
        safe = self.ledger.safe()
        assert self.ledger.revoke() == sum(not done for done in self.done.values())
        for batch in self.batches:
            assert batch.revoked or not batch.left
            if batch.left:
                batch.done_all()  # late work on what is another's by now changes nothing here
        assert self.ledger.safe() == safe
        self.next_offset = data.draw(st.integers(0, self.next_offset))
        self.begin_assignment()

    @invariant()
    def counts_each_record_once(self) -> None:
        assert self.finished == self.expected_finished
        assert self.ledger.open == sum(not done for done in self.done.values())


TestLedgerAgainstModel = LedgerAgainstModel.TestCase
TestLedgerAgainstModel.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


class LanesAgainstModel(RuleBasedStateMachine):
    """The model keeps every item of a key in one list; the first of it is the one that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: KeyLanes[str, tuple[str, int]] = KeyLanes()
        self.queues: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self.serial = 0

    @rule(key=st.sampled_from("abc"))
    def arrive(self, key: str) -> None:
        self.serial += 1
        item = (key, self.serial)
        assert self.lanes.admit(key, item) is (not self.queues[key])
        self.queues[key].append(item)

    @rule(key=st.sampled_from("abc"))
    def end(self, key: str) -> None:
        queue = self.queues[key]
        if not queue:
            with pytest.raises(KeyError):
                self.lanes.release(key)
            return
        queue.pop(0)
        assert self.lanes.release(key) == (queue[0] if queue else None)

    @invariant()
    def a_key_is_busy_while_an_item_of_it_runs(self) -> None:
        assert len(self.lanes) == sum(bool(queue) for queue in self.queues.values())


TestLanesAgainstModel = LanesAgainstModel.TestCase
TestLanesAgainstModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_nothing_is_safe_before_the_first_record_is_done() -> None:
    ledger = PartitionLedger(lambda _: None)
    batch = Batch([record(10), record(11)])
    ledger.add(batch)
    batch.done(1)
    assert ledger.safe() is None
    batch.done(0)
    assert ledger.safe() == 12


def test_safe_offset_steps_over_holes_in_the_offsets() -> None:
    ledger = PartitionLedger(lambda _: None)
    batch = Batch([record(3), record(9), record(20)])
    ledger.add(batch)
    batch.done(0)
    assert ledger.safe() == 9
