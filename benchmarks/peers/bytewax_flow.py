"""Bytewax as its documentation shows: Kafka's operators, one worker, recovery into its own store."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.measuring import Measured, report
from benchmarks.peers.work import Given, Work


def measure(given: Given) -> Measured:
    """Time from the first post that is read to the end of the flow, which ends with the topic."""
    work = Work(given.posts)

    def tag(message: KafkaSourceMessage[bytes, bytes]) -> KafkaSinkMessage[bytes, bytes]:
        value = work.message(message.value, message.partition, message.offset)
        return KafkaSinkMessage(message.key, value)

    flow = Dataflow("tag")
    read = kop.input("read", flow, brokers=[given.broker], topics=[given.source], tail=False)
    tagged = op.map("tag", read.oks, tag)
    kop.output("write", tagged, brokers=[given.broker], topic=given.target, add_config={"acks": "all"})
    with tempfile.TemporaryDirectory() as folder:
        init_db_dir(Path(folder), 1)
        cli_main(flow, recovery_config=RecoveryConfig(folder))
    return work.measured()


if __name__ == "__main__":
    report(measure(Given.of(sys.argv[1:])))
