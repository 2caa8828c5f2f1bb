"""A Kafka broker inside this process, for the demo: librdkafka's mock cluster.

It speaks Kafka's protocol on a loopback port, so worker, feed and reader are the real ones. What
it is not: every topic springs up when first named and has `PARTITIONS` partitions, whatever is
asked for; nothing is on disk; there is no admin API (a Faust app needs `topic_allow_declare=False`
and `topic_disable_leader=True`); the broker's own timestamps are not the time; and a group's first
member waits 3 s to be let in, never if its session timeout is shorter.

Each partition keeps `PARTITION_BYTES`. Beyond that the oldest messages vanish without an error,
read or not: a reader that is further behind goes on at the oldest that is left. So a feed into it
has to stay within a few thousand posts of its readers.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final

from streamproc.errors import BrokerError

PARTITIONS: Final = 4
"""Partitions of every topic."""

PARTITION_BYTES: Final = 5 * 1024 * 1024
"""What a partition keeps; older messages vanish."""


class EmbeddedBroker:
    """The embedded broker; use it as a context manager, or `start` and `stop` it.

    with EmbeddedBroker() as broker:
        settings = {"bootstrap_servers": broker.address}
    """

    def __init__(self) -> None:
        self._client: Any = None
        self._address: str | None = None

    def __enter__(self) -> EmbeddedBroker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """`host:port` to bootstrap from.

        Raises:
            BrokerError: it is not running.
        """
        if self._address is None:
            raise BrokerError("the embedded broker is not running: start it, or use it in a `with` block")
        return self._address

    def start(self) -> None:
        """Start it. Does nothing when it runs.

        Raises:
            BrokerError: confluent-kafka is not installed, or the cluster does not come up.
        """
        if self._client is not None:
            return
        try:
            from confluent_kafka import KafkaException, Producer
        except ImportError:
            raise BrokerError(
                "the embedded broker needs confluent-kafka, which is not installed: "
                "pip install 'streamproc[demo]', or name a Kafka with --broker HOST:PORT"
            ) from None
        # The cluster belongs to the client that asked for it and lives as long. Level 3 keeps
        # librdkafka from announcing on stderr that this is a mock.
        client = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 3})
        try:
            brokers = client.list_topics(timeout=10).brokers
        except KafkaException as error:
            raise BrokerError(f"the embedded broker did not come up: {error}") from error
        (broker,) = brokers.values()
        self._client, self._address = client, f"{broker.host}:{broker.port}"

    def create_topic(self, name: str) -> int:
        """Make a topic, empty, and say how many partitions it has.

        Raises:
            BrokerError: the broker does not answer or refuses the name.
        """
        address = self.address
        from confluent_kafka import KafkaException

        try:
            topic = self._client.list_topics(name, timeout=10).topics[name]
        except KafkaException as error:
            raise BrokerError(f"the embedded broker at {address} did not make {name}: {error}") from error
        if topic.error is not None:
            raise BrokerError(f"the embedded broker at {address} did not make {name}: {topic.error}")
        return len(topic.partitions)

    def stop(self) -> None:
        """End it; everything it kept is gone."""
        self._client = self._address = None
