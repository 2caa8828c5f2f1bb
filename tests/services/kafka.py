"""Apache Kafka as one JVM, broker and controller in one, from the jars of a Maven repository."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.services.process import Server, free_ports, listens, require

_PROPERTIES = """
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""

_EVERY_BROKER = """
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
log.dirs={folder}/data
num.partitions=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1500
auto.create.topics.enable=false
"""


@dataclass(frozen=True)
class Kafka:
    """A running broker."""

    bootstrap: str
    server: Server

    def create_topic(self, name: str, partitions: int = 1, **configs: object) -> str:
        """Make a topic; `max_message_bytes=1000` sets `max.message.bytes`. Returns its name."""
        return asyncio.run(self.create(name, partitions, **configs))

    async def create(self, name: str, partitions: int = 1, **configs: object) -> str:
        """`create_topic` from within a running loop."""
        settings = {key.replace("_", "."): str(value) for key, value in configs.items()}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            response = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
        finally:
            await admin.close()
        for _, code, message in response.topic_errors:
            if code:
                raise RuntimeError(f"cannot create topic {name}: {code} {message}")
        return name


def jars() -> Path:
    """The folder of Kafka's jars: named by STREAMPROC_KAFKA_LIBS, kept in the cache, or fetched now."""
    if named := os.environ.get("STREAMPROC_KAFKA_LIBS"):
        if not list(Path(named).glob("kafka_2.13-*.jar")):
            require("Apache Kafka", f"STREAMPROC_KAFKA_LIBS={named} holds no kafka_2.13 jar")
        return Path(named)
    cache = Path(__file__).parents[2] / ".cache" / "kafka"
    libs = cache / "libs"
    if not list(libs.glob("kafka_2.13-*.jar")):
        _fetch_jars(cache, libs)
    return libs


def _fetch_jars(cache: Path, libs: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        require("Apache Kafka", "no jars in .cache/kafka/libs and no Maven (mvn) to fetch them with")
        return
    cache.mkdir(parents=True, exist_ok=True)
    # Fetched beside its place and moved there at the end: a broken download is not taken for the jars.
    partial = cache / f"libs.{os.getpid()}"
    fetch = subprocess.run(
        [
            *(maven, "-q", "-B", "-f", str(Path(__file__).with_name("kafka-pom.xml"))),
            *("dependency:copy-dependencies", f"-DoutputDirectory={partial}"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if fetch.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        require("Apache Kafka", f"Maven could not fetch the jars: {fetch.stdout[-500:]}")
    try:
        partial.rename(libs)
    except OSError:  # another test run was quicker
        shutil.rmtree(partial)


@contextmanager
def running(folder: Path) -> Iterator[Kafka]:
    """A broker that anybody may use."""
    port, controller = free_ports(2)
    settings = _PROPERTIES.format(port=port, controller=controller)
    with start(folder, settings, port) as kafka:
        yield kafka


@contextmanager
def start(folder: Path, settings: str, port: int, users: Sequence[str] = ()) -> Iterator[Kafka]:
    """Format a log folder and run a broker on it.

    Args:
        folder: for everything.
        settings: of `server.properties`, those that not every broker here has.
        port: of the listener that the test uses.
        users: further arguments of the formatting: `--add-scram=...`.
    """
    java = shutil.which("java")
    if java is None:
        require("Apache Kafka", "no Java (java) on the path")
        raise AssertionError
    classpath = f"{jars()}/*"
    properties = folder / "server.properties"
    properties.write_text(_EVERY_BROKER.format(folder=folder) + settings)
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    log4j = folder / "log4j2.properties"
    log4j.write_text(
        "status = error\nrootLogger.level = error\nrootLogger.appenderRef.0.ref = out\n"
        "appender.0.type = Console\nappender.0.name = out\nappender.0.layout.type = PatternLayout\n"
    )
    options = [
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dlog4j2.configurationFile={log4j}",
    ]
    tool = [java, *options, "-cp", classpath, "kafka.tools.StorageTool"]
    formatted = subprocess.run(
        [*tool, "format", f"--cluster-id={cluster}", "-c", str(properties), *users],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if formatted.returncode:
        raise RuntimeError(
            f"Kafka's log folder could not be formatted: {formatted.stdout}{formatted.stderr}"
        )
    command = [java, *options, "-cp", classpath, "kafka.Kafka", str(properties)]
    with Server(command, folder, lambda: listens(port)) as server:
        yield Kafka(f"127.0.0.1:{port}", server)
