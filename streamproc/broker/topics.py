"""Creating and checking the topics that streamproc uses."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streamproc.broker.link import Link
from streamproc.broker.refusals import nobody_there, refusal
from streamproc.errors import BrokerError
from streamproc.settings import Settings


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic: what was done or found. `fault` is `None` where all is well."""

    topic: str
    partitions: int
    state: str
    fault: str | None = None


def wanted_topics(settings: Settings) -> dict[str, dict[str, str]]:
    """Topics with their configuration. Letters may be larger than posts: they carry headers too."""
    topics = settings.topics
    post_bytes = topics.post_bytes
    entities = {"max.message.bytes": str(max(post_bytes, 1_048_576))}
    if topics.compacted:
        entities["cleanup.policy"] = "compact"
    return {
        topics.posts: {"max.message.bytes": str(post_bytes)},
        topics.entities: entities,
        topics.shadow: entities,
        topics.deadletters: {"max.message.bytes": str(post_bytes + 262_144)},
    }


@contextmanager
def admin_client(link: Link) -> Iterator[Any]:
    """kafka-python's admin client, its errors mapped to ours.

    Raises:
        BrokerError: no broker answers, or it refuses.
        SettingsError: it does not let us.
    """
    client = None
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it has to say comes as an error
    try:
        client = KafkaAdminClient(
            **link.arguments(),
            client_id="streamproc-admin",
            request_timeout_ms=15_000,
            bootstrap_timeout_ms=10_000,
        )
        yield client
    except (KafkaError, ValueError, OSError) as error:
        if refused := refusal(error, link):
            raise refused from error
        if client is None:
            raise nobody_there(link) from error
        raise BrokerError(f"Kafka at {link.told}: {error}") from error
    finally:
        if client is not None:
            client.close()


def create_topics(settings: Settings) -> list[TopicState]:
    """Create what is missing; what is there stays as it is.

    Raises:
        BrokerError: no broker answers, or it refuses.
    """
    states = []
    with admin_client(Link.of(settings.kafka)) as client:
        for name, configs in wanted_topics(settings).items():
            options = {
                "num_partitions": settings.topics.partitions,
                "replication_factor": settings.topics.replication,
                "configs": configs,
            }
            try:
                client.create_topics({name: options}, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                states.append(TopicState(name, 0, "was there"))
            else:
                states.append(TopicState(name, settings.topics.partitions, "created"))
    return states


def _cleanup_policies(client: Any, names: Sequence[str]) -> dict[str, list[str]]:
    """How the broker cleans up each topic, maybe in two ways; left out where we may not know."""
    if not names:
        return {}
    asked = [ConfigResource("topic", name, ["cleanup.policy"]) for name in names]
    told = client.describe_configs(asked, config_filter="all").get("topic", {})
    found = {name: told.get(name, {}).get("cleanup.policy") for name in names}
    return {name: str(config["value"]).split(",") for name, config in found.items() if config}


def check_topics(settings: Settings) -> list[TopicState]:
    """Compare what is there with what the settings want.

    Raises:
        BrokerError: no broker answers, or it refuses.
    """
    wanted = wanted_topics(settings)
    with admin_client(Link.of(settings.kafka)) as client:
        found = {t["name"]: len(t["partitions"]) for t in client.describe_topics()}
        policies = _cleanup_policies(client, [name for name in wanted if name in found])
    states = []
    for name, configs in wanted.items():
        policy = configs.get("cleanup.policy", "delete")
        if name not in found:
            states.append(TopicState(name, 0, "missing", "run `streamproc topics create`"))
        elif policy not in policies.get(name, [policy]):
            fault = (
                f"cleanup.policy is {','.join(policies[name])}, expected {policy}: change it with "
                "kafka-configs --alter, or set topics.compacted"
            )
            states.append(TopicState(name, found[name], "there", fault))
        elif found[name] < settings.topics.partitions:
            fault = f"has {found[name]} partitions, topics.partitions is {settings.topics.partitions}"
            states.append(TopicState(name, found[name], "there", fault))
        else:
            states.append(TopicState(name, found[name], "there"))
    return states
