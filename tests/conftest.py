"""The real parts as fixtures. One of each serves the whole run; tests tell their topics apart by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamproc.broker.embedded import EmbeddedBroker
from streamproc.errors import BrokerError
from tests.deployment import Deployment
from tests.services import kafka as kafka_service
from tests.services import redis as redis_service
from tests.services import triton as triton_service
from tests.services.kafka import Kafka
from tests.services.process import require
from tests.services.triton import Triton
from tests.triton_server.engines import EXAMPLES


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


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """A Triton server with all of streamproc's models: the real OCR, and examples for the networks."""
    parameters = {
        name: {"engine": f"tests.triton_server.engines:{engine}"} for name, engine in EXAMPLES.items()
    }
    folder = tmp_path_factory.mktemp("triton")
    with triton_service.running(folder, [*EXAMPLES, "ocr"], parameters) as server:
        yield server


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


@pytest.fixture
def deploy(kafka: Kafka, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    made: list[Deployment] = []

    def make(**extra: str) -> Deployment:
        deployment = Deployment(kafka, tmp_path, **extra)
        deployment.run("topics", "create")
        made.append(deployment)
        return deployment

    yield make
    for deployment in made:
        deployment.end()
