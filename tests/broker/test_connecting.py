"""What is said while Kafka is not there yet."""

import asyncio
import socket

import pytest

from streamproc.broker.connecting import partitions_of_topics
from streamproc.broker.link import Link
from streamproc.errors import BrokerError


async def test_who_waits_for_a_broker_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BrokerError, match=r"no Kafka at 127\.0\.0\.1:1: start one"):
        await partitions_of_topics(Link("127.0.0.1:1"), 1.5)
    assert caplog.text.count("no Kafka at 127.0.0.1:1 yet: tried again for 1.5 s") == 1


async def test_a_broker_that_takes_connections_and_says_nothing_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "{}:{}".format(*silent.getsockname())
        async with asyncio.timeout(8):
            with pytest.raises(BrokerError, match=f"no Kafka at {address}: start one"):
                await partitions_of_topics(Link(address), 1.0)
