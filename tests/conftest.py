"""The real parts as fixtures. One of each serves the whole run; tests tell their topics apart by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamproc.broker.embedded import EmbeddedBroker
from streamproc.errors import BrokerError
from tests.services import kafka as kafka_service
from tests.services import redis as redis_service
from tests.services.kafka import Kafka
from tests.services.process import require


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Apache Kafka: `kafka.bootstrap`, `kafka.create_topic(name, partitions, **configs)`."""
    with kafka_service.running(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis server."""
    with redis_service.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def mock_broker() -> Iterator[EmbeddedBroker]:
    """The embedded broker."""
    broker = EmbeddedBroker()
    try:
        broker.start()
    except BrokerError as error:
        require("embedded broker", str(error))
    with broker:
        yield broker
