"""A Faust transport that hands the agent a fetched batch at a time.

    app = faust.App("tagger", broker="kafka://127.0.0.1:9092", stream_wait_empty=True)
    install(app, Fetching(max_in_flight=8000, on_revoked=forget))
    posts = app.topic("posts", schema=BatchSchema())

    @app.agent(posts)
    async def tag(stream):
        async for event in stream.noack().events():
            batch = event.value          # a Batch: records of one partition, one done flag each
            ...                          # batch.done(i), once the result of record i was delivered

Faust keeps the group, the rebalance, the commit timer, the agent and the app's other topics,
which go their usual way. It does not see the single records of a batch: only `done` counts,
neither an agent's step to the next event nor `Event.ack` does. (Stock acks an event also when
its agent raised; here that commits nothing.)
"""

from __future__ import annotations

from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streamproc.broker.header_names import escape_header_names
from streamproc.errors import SettingsError
from streamproc.ledger import Batch, Record
from streamproc.transport.batches import BatchSchema, Fetching, Progress
from streamproc.transport.consumer import BatchConsumer
from streamproc.transport.records import fetch_structs

__all__ = [
    "TP",
    "Batch",
    "BatchConsumer",
    "BatchSchema",
    "BatchTransport",
    "Fetching",
    "Progress",
    "Record",
    "install",
]


class BatchTransport(driver.Transport):  # type: ignore[misc]  # Faust carries no types
    """Faust's aiokafka transport with the batch consumer.

    Args:
        url: the broker addresses, as `app.conf.broker_consumer` has them.
        app: the Faust app.
        fetching: how much is fetched ahead, and what happens when partitions move.
    """

    def __init__(self, url: Any, app: Any, fetching: Fetching) -> None:
        super().__init__(url, app)
        self.fetching = fetching

    def create_consumer(self, callback: Any, **kwargs: Any) -> BatchConsumer:
        """The app's one consumer."""
        return BatchConsumer(self, callback=callback, loop=self.loop, fetching=self.fetching, **kwargs)


def install(app: Any, fetching: Fetching) -> None:
    """Make a Faust app fetch in batches. Call it before the app starts; `app.consumer` is then
    a `BatchConsumer`.

    Raises:
        SettingsError: the app would not wait for unfinished work when partitions move.
    """
    if not app.conf.stream_wait_empty:
        raise SettingsError(
            "Faust's stream_wait_empty is False, expected True: a rebalance has to wait for started batches"
        )
    escape_header_names()
    fetch_structs()
    app.transport = BatchTransport(app.conf.broker_consumer, app, fetching)
