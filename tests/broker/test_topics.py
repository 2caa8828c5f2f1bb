"""What `topics create` makes on real Kafka, and what `topics check` says of what it finds there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kafka.admin import ConfigResource

from streamproc.broker.link import Link
from streamproc.broker.topics import admin_client
from tests.deployment import Deployment


def configs(stream: Deployment, topic: str) -> dict[str, Any]:
    """What the broker says of a topic, all of it."""
    name = stream.settings[f"topics.{topic}"]
    with admin_client(Link(stream.kafka.bootstrap)) as client:
        told = client.describe_configs([ConfigResource("topic", name)], config_filter="all")
    return {key: config["value"] for key, config in told["topic"][name].items()}


@pytest.mark.parametrize(("compacted", "policy"), [("true", "compact"), ("false", "delete")])
def test_entities_are_compacted_where_the_settings_say_so_and_nothing_else_is(
    deploy: Callable[..., Deployment], compacted: str, policy: str
) -> None:
    stream = deploy(**{"topics.compacted": compacted})
    policies = {
        topic: configs(stream, topic)["cleanup.policy"] for topic in ("posts", "entities", "shadow")
    }
    assert policies == {"posts": "delete", "entities": policy, "shadow": policy}
    letters = configs(stream, "deadletters")
    assert letters["cleanup.policy"] == "delete"
    assert int(letters["max.message.bytes"]) > int(configs(stream, "posts")["max.message.bytes"])
    assert stream.run("topics", "check").returncode == 0


def test_a_topic_that_is_cleaned_up_in_another_way_is_told(deploy: Callable[..., Deployment]) -> None:
    stream = deploy()
    stream.settings["topics.compacted"] = "true"
    checked = stream.run("topics", "check", "--json", check=False)
    assert checked.returncode == 1
    faults = {state["topic"]: state["fault"] for state in json.loads(checked.stdout) if state["fault"]}
    assert set(faults) == {stream.settings["topics.entities"], stream.settings["topics.shadow"]}
    assert all(
        "cleanup.policy is delete" in fault and "expected compact" in fault for fault in faults.values()
    )
