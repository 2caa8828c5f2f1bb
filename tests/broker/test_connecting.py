"""What is said while Kafka is not there yet."""

import pytest

from streamproc.broker.connecting import partitions_of_topics
from streamproc.broker.link import Link
from streamproc.errors import BrokerError


async def test_who_waits_for_a_broker_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BrokerError, match=r"no Kafka at 127\.0\.0\.1:1: start one"):
        await partitions_of_topics(Link("127.0.0.1:1"), 1.5)
    assert caplog.text.count("no Kafka at 127.0.0.1:1 yet: tried again for 1.5 s") == 1
