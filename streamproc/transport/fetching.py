"""The client that talks to Kafka for the batch transport: Faust's, made to lose no fetched record.

aiokafka moves its position when it hands out records. Faust throws such records away when its
fetcher is cancelled or its flow is stopped at that moment, and then seeks to the committed
offset, which does nothing while none is committed. Here every record handed out is remembered
until the main loop has taken it over; what nobody took is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from faust.transport.consumer import ensure_TP
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, ensure_aiokafka_TP
from faust.types import TP

from streamproc.ledger import Record
from streamproc.transport.committed import check_answers
from streamproc.transport.leaving import abandon, leave_join

ANSWER_S: Final = 5.0
"""How long Kafka may take for an answer; aiokafka itself waits for a coordinator without end."""


class Fetched(dict[TP, Sequence[Record]]):
    """Records by partition, with the assignment under which they were handed out."""

    def __init__(self, assignment: object) -> None:
        super().__init__()
        self.assignment = assignment


class Standing(NamedTuple):
    """A member's place in its group.

    Attributes:
        assigned: how many partitions; `None` where it is not in the group.
        unread: records in them that were not fetched yet.
    """

    assigned: int | None
    unread: int


class FetchingClient(AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust carries no types
    """What Faust calls its consumer thread, on the worker's own loop; it remembers what it handed out.

    Attributes:
        max_records: how many records a fetch hands out at most.
        rewinds: how many times a partition was set back because a fetch had got lost.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.max_records = 500
        self.rewinds = 0
        # First offset of what was handed out and not taken over, by partition: valid under
        # `_assignment` only. aiokafka makes a new assignment object at each rebalance.
        self._untaken: dict[TP, int] = {}
        self._assignment: object = None
        self._fetch_lock = asyncio.Lock()

    async def on_start(self) -> None:
        """Start aiokafka's consumer."""
        await super().on_start()
        check_answers(self._ensure_consumer()._coordinator)

    async def stop(self) -> None:
        """Stop, and wait until aiokafka's consumer has left."""
        await super().stop()
        if self._thread is not None:
            await self._thread.ended()

    def close(self) -> None:
        """Faust cuts the connection where a stop meets a rebalance: the group would not hear of it."""

    async def on_thread_stop(self) -> None:
        """Leave the group, in bounded time."""
        consumer = self._consumer
        if consumer is None or consumer._coordinator is None:
            await super().on_thread_stop()  # it never got as far as a group
            return
        leaving = asyncio.create_task(leave_join(consumer))
        stopping = asyncio.create_task(super().on_thread_stop())
        try:
            await asyncio.wait([stopping], timeout=ANSWER_S)
            if not stopping.done():
                self.log.warning(
                    "Kafka does not answer within %g s: left its group without a word, which others notice "
                    "after the session timeout",
                    ANSWER_S,
                )
            # Without a broker aiokafka's stop ends halfway, by the cancellation of a fetch of its own.
            if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
                await abandon(consumer)
        finally:
            for task in (leaving, stopping):
                task.cancel()
            await asyncio.gather(leaving, stopping, return_exceptions=True)

    async def _gather_remaining_tasks(self) -> None:
        """The loop's other tasks are not ours to cancel."""

    async def _keepalive2(self) -> None:
        """There is no thread to be kept alive."""

    def take(self, fetched: Fetched, tp: TP) -> bool:
        """Take records over. False when they are void: a rebalance or a seek came in between."""
        current = fetched.assignment is self._assignment
        if not current or self._untaken.get(tp) != fetched[tp][0].offset:
            return False
        del self._untaken[tp]
        return True

    def give_back(self, fetched: Fetched, tp: TP) -> None:
        """Undo `take`: the next fetch reads these records again."""
        if fetched.assignment is self._assignment:
            self._untaken[tp] = fetched[tp][0].offset

    async def getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,
    ) -> Mapping[TP, Any]:
        """Fetch up to `max_records` records within `timeout` seconds."""
        return await self.call_thread(  # type: ignore[no-any-return]
            self._fetch_records,
            self._ensure_consumer(),
            active_partitions,
            timeout=timeout,
            max_records=self.max_records,
        )

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP] | None,
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Mapping[TP, Any]:
        # A cancelled fetcher leaves its fetch running here while the next one starts: one at a time.
        async with self._fetch_lock:
            if not self.consumer.flow_active:
                return {}
            self._follow_assignment(consumer)
            for tp, offset in list(self._untaken.items()):
                self.rewinds += 1
                consumer.seek(ensure_aiokafka_TP(tp), offset)
            self._untaken.clear()
            records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
            fetched = Fetched(self._follow_assignment(consumer))
            for kafka_tp, chunk in (records or {}).items():
                tp = ensure_TP(kafka_tp)
                self._untaken[tp] = chunk[0].offset
                fetched[tp] = chunk
            return fetched

    def _follow_assignment(self, consumer: Any) -> object:
        subscription = consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is not self._assignment:
            self._untaken.clear()
            self._assignment = assignment
        return assignment

    # A seek makes void what was handed out and not taken over. That must be forgotten in the same
    # step as the seek: between two awaits another fetch could hand out records from the new position.

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        """Seek every partition to its committed offset, where there is one."""
        return await self.call_thread(self._seek_to_committed)  # type: ignore[no-any-return]

    async def _seek_to_committed(self) -> Mapping[TP, int | None]:
        consumer = self._ensure_consumer()
        committed: dict[TP, int | None] = {}
        for kafka_tp in consumer.assignment():
            offset = committed[ensure_TP(kafka_tp)] = await consumer.committed(kafka_tp)
            if offset:
                consumer.seek(kafka_tp, offset)
                self._untaken.pop(ensure_TP(kafka_tp), None)
        return committed

    def seek(self, partition: TP, offset: int) -> None:
        """Seek one partition."""
        super().seek(partition, offset)
        self._untaken.pop(ensure_TP(partition), None)

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        for tp in partitions:
            self._untaken.pop(ensure_TP(tp), None)
        await super()._seek_wait(consumer, partitions)

    @property
    def connected(self) -> bool:
        """Whether aiokafka's consumer is there."""
        return self._consumer is not None

    async def standing(self) -> Standing:
        """Which place the group gave us, and what the broker says now that is left to read there."""
        return await self.call_thread(self._standing)  # type: ignore[no-any-return]

    async def _standing(self) -> Standing:
        async with asyncio.timeout(ANSWER_S):
            return await self._ask_standing(self._ensure_consumer())

    async def _ask_standing(self, consumer: Any) -> Standing:
        subscription = consumer._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return Standing(None, 0)
        assigned = consumer.assignment()
        ends = await consumer.end_offsets(assigned) if assigned else {}
        # aiokafka's own position: it steps over transaction markers, which are no records.
        unread = [max(0, end - await consumer.position(tp)) for tp, end in ends.items()]
        return Standing(len(assigned), sum(unread))

    # Who waits here for a broker that is away holds up all calls that come behind: also the
    # last ones, so that a worker that has given up would not end before the broker is back.

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        committing = asyncio.ensure_future(super()._commit(offsets))
        try:
            # Not cancelled: aiokafka goes on with what it has sent, and would tell nobody how that ends.
            await asyncio.wait([committing], timeout=ANSWER_S)
        finally:
            if not committing.done():
                committing.add_done_callback(_forget)
        if committing.done():
            return bool(committing.result())
        self.log.warning("Kafka does not confirm a commit within %g s: to be made again", ANSWER_S)
        return False

    async def check_group(self) -> None:
        """Raise the error that ended or holds up the coordinator, if there is one."""
        await self.call_thread(self._check_group)

    async def _check_group(self) -> None:
        consumer = self._consumer
        if consumer is not None and consumer._coordinator is not None:
            consumer._coordinator.check_errors()

    async def keep_membership(self) -> None:
        """Tell aiokafka that the application is alive although it does not fetch.

        aiokafka leaves the group when nothing was fetched for `max_poll_interval`, and Faust
        never joins again after that.
        """
        await self.call_thread(self._keep_membership)

    async def _keep_membership(self) -> None:
        with self._ensure_consumer()._subscription.fetch_context():
            pass


def _forget(task: asyncio.Future[bool]) -> None:
    """Nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
