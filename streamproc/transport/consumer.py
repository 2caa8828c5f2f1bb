"""The consumer of the batch transport: what the application asks it, and how it fetches and delivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from streamproc.errors import BrokerError
from streamproc.ledger import PartitionLedger, Record
from streamproc.transport.batches import BatchMessage, HandedBatch, Progress
from streamproc.transport.committing import LedgerConsumer
from streamproc.transport.fetching import Fetched, FetchingClient, Standing
from streamproc.transport.on_loop import TaskWorker


class BatchConsumer(LedgerConsumer):
    """Faust's aiokafka consumer, handing out batches. The application uses the first section."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.waiting_for: str | None = None
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> FetchingClient:
        return FetchingClient(
            self, loop=self.loop, thread_loop=self.loop, Worker=TaskWorker, beacon=self.beacon
        )

    # -- for the application ------------------------------------------------------------------

    def waits_for(self, what: str | None) -> None:
        """Records in flight wait for something on purpose, or no longer.

        Reading goes on until no more may be in flight. That none ends is then not taken for stuck: the
        place in the group is kept.
        """
        self.waiting_for = what

    def give_up(self) -> None:
        """Nothing that was started will finish: stopping does not wait for it."""
        self._last_deadline = 0.0

    async def check_group(self) -> None:
        """Raise what ended or refused the group membership; aiokafka keeps such errors to itself.

        Raises:
            BrokerError: the broker does not take this member.
        """
        if self._thread is None or not self._thread.started:
            return
        try:
            await self._thread.check_group()
        except KafkaError as error:
            raise BrokerError(f"Kafka refused group {self.app.conf.id}: {error!r}") from error

    @property
    def connected(self) -> bool:
        """Whether there is a client that can be asked."""
        return self._thread is not None and self._thread.connected

    async def standing(self) -> Standing:
        """Our place in the group, and what is left to read there, as the broker says now.

        Raises:
            BrokerError: it does not say.
        """
        try:
            return await self._thread.standing()
        except KafkaError as error:
            raise BrokerError(f"Kafka does not say how many posts there are: {error!r}") from error

    @property
    def uncommitted(self) -> int:
        """Records that have ended, with all before them, and whose offset the broker has not confirmed."""
        safe = ((ledger.safe(), ledger.committed or 0) for ledger in self._ledgers.values())
        return sum(max(0, done - committed) for done, committed in safe if done is not None)

    @property
    def left_behind_s(self) -> float:
        """For how long the oldest batch is on its way that all others overtook: it was forgotten somewhere.

        All others: twice as many records as may be in flight. Work goes on in the order of reading, about.
        """
        now, many = monotonic(), 2 * self.fetching.max_in_flight
        oldest = [next((b for b in ledger if b.left), None) for ledger in self._ledgers.values()]
        behind = [
            now - batch.handed_at
            for batch in oldest
            if isinstance(batch, HandedBatch) and self.finished_total - batch.finished_before >= many
        ]
        return max(behind, default=0.0)

    def progress(self) -> dict[TP, Progress]:
        """How far each assigned partition fed in batches is, without asking the broker."""
        return {tp: self._progress(tp) for tp in self.assignment() if self._fed_in_batches(tp)}

    def _progress(self, tp: TP) -> Progress:
        ledger = self._ledgers.get(tp)
        if ledger is None:  # nothing handed out yet
            committed = position = self._committed_offset.get(tp)
        else:
            # Stock's `_committed_offset` moves on although a commit failed; the ledger's does not.
            committed, read = ledger.committed, self._read_offset.get(tp)
            position = committed if read is None else read + 1
        return Progress(committed, position, self.highwater(tp))

    # -- fetching -----------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch and deliver until the fetcher or the consumer stops."""

        def stopping() -> bool:
            return bool(self._stopped.is_set() or fetcher._stopped.is_set())

        try:
            while not stopping():
                await self._wait_for_room(stopping)
                if self._commit_every is not None and self._n_acked >= self._commit_every:
                    self._n_acked = 0
                    await self.commit()
                if await self._flows(stopping):
                    fetched, _ = await self._wait_next_records(1.0)
                    await self._deliver_all(fetched, stopping)
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _wait_for_room(self, stopping: Callable[[], bool]) -> None:
        # Room for a whole fetch: one that fills each freed place makes ever smaller batches.
        room = min(self.app.conf.broker_max_poll_records or 500, max(1, self.fetching.max_in_flight // 2))
        self._thread.max_records = room
        seen, since = self.finished_total, monotonic()
        while self.in_flight > self.fetching.max_in_flight - room and not stopping():
            await self._listen(1.0)
            # Waiting or slow is not stuck: stay in the group. Stuck: let another member take over.
            waits = self.waiting_for is not None
            if (waits or self.finished_total != seen) and monotonic() - since > 1.0:
                seen, since = self.finished_total, monotonic()
                await self._thread.keep_membership()

    async def _flows(self, stopping: Callable[[], bool]) -> bool:
        """Wait until the flow is on. False when stopping, which stock's own wait does not see."""
        while not self.flow_active and not stopping():
            try:
                await asyncio.wait_for(self.can_resume_flow.wait(), 0.5)
            except TimeoutError:
                continue
        return not stopping()

    async def _deliver_all(self, fetched: Any, stopping: Callable[[], bool]) -> None:
        for tp in fetched or ():
            if not await self._flows(stopping):
                return
            if not self._thread.take(fetched, tp):
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if self._fed_in_batches(tp):
                await self._deliver_batch(tp, fetched)
            else:
                await self._deliver_each(tp, fetched[tp])

    async def _deliver_batch(self, tp: TP, fetched: Fetched) -> None:
        ledger = self._ledgers.get(tp)
        if ledger is None:
            ledger = self._ledgers[tp] = PartitionLedger(self._finished, self._committed_offset.get(tp))
        message = self._message_of_batch(tp, fetched[tp])
        batch = HandedBatch(fetched[tp], message, self.finished_total)
        message.carry(batch)
        ledger.add(batch)
        self.in_flight += len(batch)
        try:
            await self.callback(message)
        except BaseException:
            # Cancelled before a stream had it: nobody will finish it, so it is read again.
            self.in_flight -= ledger.retract(batch)
            self._thread.give_back(fetched, tp)
            raise
        self._read_offset[tp] = message.offset

    def _message_of_batch(self, tp: TP, records: Sequence[Record]) -> BatchMessage:
        last = records[-1]
        return BatchMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, 0, None, None, None, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def _deliver_each(self, tp: TP, records: Sequence[Record]) -> None:
        """One event a record, as stock does for topics that are not fed in batches."""
        for record in records:
            message = self._to_message(tp, record)
            read = self._read_offset[tp]
            if read is not None and message.offset < read:
                continue
            if read and message.offset - read > 1 and self.app.topics.acks_enabled_for(message.topic):
                await self._add_gap(tp, read + 1, message.offset)
            await self.wait_first(self.callback(message), self.suspend_flow.wait())
            self._read_offset[tp] = message.offset
