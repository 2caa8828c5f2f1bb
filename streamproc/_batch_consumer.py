"""The consumer of the batch transport: Faust's, with a ledger for each partition fed in batches.

Faust's own bookkeeping counts single acked offsets; it commits past unfinished records when they
finish out of order. For partitions fed in batches the ledger answers instead: which offset is
safe, what was really committed, what is still being worked on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from time import monotonic
from typing import Any

from aiokafka.errors import KafkaError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streamproc._batches import BatchMessage, BatchSchema, Fetching, HandedBatch, Progress
from streamproc._fetching import Fetched, FetchingThread, Standing
from streamproc.errors import BrokerError
from streamproc.ledger import PartitionLedger, Record


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's aiokafka consumer, handing out batches. The application uses the first section."""

    _thread: FetchingThread
    _n_acked: int

    def __init__(self, *args: Any, fetching: Fetching, **kwargs: Any) -> None:
        self.fetching = fetching
        self.in_flight = 0
        self.waiting_for: str | None = None
        self.finished_total = 0
        self._last_deadline = inf
        self._ledgers: dict[TP, PartitionLedger] = {}
        self._news: asyncio.Future[None] | None = None
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> FetchingThread:
        return FetchingThread(self, loop=self.loop, beacon=self.beacon)

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

    # -- what is done -------------------------------------------------------------------------

    def _fed_in_batches(self, tp: TP) -> bool:
        channels = self.app.topics._tp_index.get(tp, ())
        return any(isinstance(channel.schema, BatchSchema) for channel in channels)

    def _finished(self, records: int) -> None:
        self.in_flight -= records
        self.finished_total += records
        self._n_acked += records  # the fetch loop commits each `broker_commit_every` records
        if self._news is not None:
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    async def _listen(self, seconds: float) -> None:
        """Wait until a record is finished, for `seconds` at most."""
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._news], timeout=seconds)

    # -- commit: Faust's way, with the ledger's offsets ----------------------------------------

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what is finished when this is called.

        Stock's only waits while another commit is under way, which may have begun before the last post
        was finished: a hand-over would repeat that post.
        """
        late = self._commit_fut is not None
        done = bool(await super().commit(topics, start_new_transaction))
        return bool(await super().commit(topics, start_new_transaction)) if late else done

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        stock = list(super()._filter_tps_with_pending_acks(topics))
        for tp in list(self._ledgers):
            if topics is None or tp in topics or tp.topic in topics:
                yield tp
        yield from (tp for tp in stock if tp not in self._ledgers)

    def _new_offset(self, tp: TP) -> int | None:
        if not self._fed_in_batches(tp):
            return super()._new_offset(tp)  # type: ignore[no-any-return]
        # A stream without `noack()` writes acks here by itself when it is Faust's compiled one.
        self._acked.pop(tp, None)
        self._acked_index.pop(tp, None)
        ledger = self._ledgers.get(tp)
        return None if ledger is None else ledger.safe()

    def _should_commit(self, tp: TP, offset: int) -> bool:
        ledger = self._ledgers.get(tp)
        if ledger is None:
            return bool(super()._should_commit(tp, offset))
        return ledger.committed is None or offset > ledger.committed

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        ledgers = {tp: self._ledgers.get(tp) for tp in offsets}
        confirmed = bool(await super()._commit_offsets(offsets, start_new_transaction))
        if confirmed:
            for tp, ledger in ledgers.items():
                if ledger is not None:
                    ledger.committed = offsets[tp]
        return confirmed

    # -- rebalance, seek, stop ----------------------------------------------------------------

    def _revoke(self, partitions: Iterable[Any]) -> None:
        gone = {tp for tp in map(ensure_TP, partitions) if tp in self._ledgers}
        for tp in gone:
            self.in_flight -= self._ledgers.pop(tp).revoke()
        if gone:
            self.fetching.on_revoked(frozenset(gone))
            self._tell()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain, commit, and give the partitions up."""
        if self.app.should_stop:
            # Faust would close its client at once, and what has ended would not be committed.
            await self.wait_empty()
        # Stock stops the flow, clears the streams' queues, and calls `wait_empty`: the ledgers must
        # outlive that, while the acks that stock keeps are dropped before it.
        await super().on_partitions_revoked(revoked)
        self._revoke(revoked)
        # aiokafka does not join again while it thinks the application idle, and the flow stands
        # still until it has joined.
        await self._thread.keep_membership()

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        """Seek to the committed offsets; batches of partitions that have one are void."""
        committed: Mapping[TP, int | None] = await super().seek_to_committed()
        self._revoke(tp for tp, offset in committed.items() if offset)
        return committed

    async def seek(self, partition: TP, offset: int) -> None:
        """Seek one partition; its batches are void."""
        await super().seek(partition, offset)
        self._revoke([partition])

    def _started_records(self) -> int:
        batches = (batch for ledger in self._ledgers.values() for batch in ledger)
        return sum(batch.left for batch in batches if isinstance(batch, HandedBatch) and batch.started)

    async def wait_empty(self) -> None:
        """Let batches that an agent has started finish, for `drain_timeout` seconds; then commit."""
        deadline = monotonic() + self.fetching.drain_timeout
        if self.app.should_stop:
            # Faust comes here more than once on its way out: the time counts from the first.
            self._last_deadline = deadline = min(deadline, self._last_deadline)
        while (started := self._started_records()) and (remaining := deadline - monotonic()) > 0:
            await self._listen(min(remaining, 0.5))
        if started:
            self.log.warning("drain: %d posts unfinished, they will be read again", started)
        # Nobody acks a batch; stock would wait for that without end.
        for message in [m for m in self._unacked_messages if isinstance(m, BatchMessage)]:
            self._unacked_messages.discard(message)
        await super().wait_empty()

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
        batch = HandedBatch(fetched[tp], message)
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
