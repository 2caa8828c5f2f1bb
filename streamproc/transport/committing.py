"""What a consumer fed in batches commits: what its ledgers say is done, not what Faust has seen acked.

Faust's own bookkeeping counts single acked offsets; it commits past unfinished records when they
finish out of order. For partitions fed in batches the ledger answers instead: which offset is
safe, what was really committed, what is still being worked on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from time import monotonic
from typing import Any

from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streamproc.ledger import PartitionLedger
from streamproc.transport.batches import BatchMessage, BatchSchema, Fetching, HandedBatch
from streamproc.transport.fetching import FetchingClient


class LedgerConsumer(driver.Consumer):  # type: ignore[misc]  # Faust carries no types
    """Faust's aiokafka consumer with a ledger for each partition fed in batches."""

    _thread: FetchingClient
    _n_acked: int

    def __init__(self, *args: Any, fetching: Fetching, **kwargs: Any) -> None:
        self.fetching = fetching
        self.in_flight = 0
        self.finished_total = 0
        self._last_deadline = inf
        self._ledgers: dict[TP, PartitionLedger] = {}
        self._news: asyncio.Future[None] | None = None
        super().__init__(*args, **kwargs)

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
