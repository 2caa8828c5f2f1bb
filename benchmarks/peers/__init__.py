"""What else tags posts from Kafka: each as its own documentation shows, for the same work a post."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Peer:
    """A worker to compare with: its module, and the distribution that it needs."""

    name: str
    module: str
    distribution: str


PEERS: Final = (
    Peer("stock Faust agent", "benchmarks.peers.faust_agent", "faust-streaming"),
    Peer("aiokafka", "benchmarks.peers.aiokafka_loop", "aiokafka"),
    Peer("Quix Streams", "benchmarks.peers.quix_streams", "quixstreams"),
    Peer("Bytewax", "benchmarks.peers.bytewax_flow", "bytewax"),
    Peer("confluent-kafka", "benchmarks.peers.confluent_loop", "confluent-kafka"),
)
