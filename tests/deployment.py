"""Topics of a test's own on the shared broker, and workers as processes."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from streamproc.broker.link import Link
from streamproc.producing import BatchProducer, Outgoing
from tests.services.kafka import Kafka


class Deployment:
    """Topics of its own on the shared broker, and workers as processes."""

    def __init__(self, kafka: Kafka, folder: Path, partitions: int = 4, **extra: str) -> None:
        self.kafka = kafka
        self.name = f"w{uuid4().hex[:8]}"
        self.partitions = partitions
        self.workers: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self.settings = {
            "kafka.broker": kafka.bootstrap,
            "kafka.group": self.name,
            "kafka.session_timeout_s": "2",
            "kafka.commit_interval_s": "0.3",
            "topics.posts": f"{self.name}.posts",
            "topics.entities": f"{self.name}.entities",
            "topics.shadow": f"{self.name}.shadow",
            "topics.deadletters": f"{self.name}.dead",
            "topics.partitions": str(partitions),
            "routes": '[{primary="capitals"}]',
            **extra,
        }

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streamproc", *arguments, *self._flags()],
            capture_output=True, text=True, timeout=60, check=check,
        )  # fmt: skip

    def start_worker(self) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{self.name}-{len(self.workers)}.log").open("wb")
        worker = subprocess.Popen(
            [sys.executable, "-m", "streamproc", "worker", *self._flags()], stdout=log, stderr=log
        )
        self.workers.append(worker)
        return worker

    def _flags(self) -> list[str]:
        return [flag for key, value in self.settings.items() for flag in ("--set", f"{key}={value}")]

    def logs(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self._folder.glob(f"{self.name}-*.log")))

    async def until_logged(self, pattern: str, times: int, seconds: float = 60.0) -> None:
        """Wait until the workers have said that, so many times in all."""
        deadline = time.monotonic() + seconds
        while len(re.findall(pattern, self.logs())) < times:
            assert time.monotonic() < deadline, f"{pattern} was not logged:\n{self.logs()[-3000:]}"
            await asyncio.sleep(0.1)

    def end(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait(timeout=20)

    async def send(self, bodies: dict[str, bytes | None]) -> None:
        async with BatchProducer(Link(self.kafka.bootstrap)) as producer:
            await producer.send(
                [
                    Outgoing(self.settings["topics.posts"], key.encode(), body)
                    for key, body in bodies.items()
                ]
            )

    async def read(
        self, topic: str, until: Callable[[list[Any]], bool], seconds: float = 60.0
    ) -> list[Any]:
        """All messages of a topic from its start, once the condition holds."""
        consumer = AIOKafkaConsumer(
            self.settings[f"topics.{topic}"],
            bootstrap_servers=self.kafka.bootstrap,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=10_000_000,
        )
        await consumer.start()
        found: list[Any] = []
        try:
            async with asyncio.timeout(seconds):
                while not until(found):
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        found += records
        except TimeoutError:
            pytest.fail(
                f"waited {seconds} s for {topic}, {len(found)} messages came\n{self.logs()[-3000:]}"
            )
        finally:
            await consumer.stop()
        return found


def body(number: int, text: str = "Ada met Grace in Berlin") -> bytes:
    return json.dumps({"platform": "test", "id": str(number), "text": f"{text} {number}"}).encode()


def ids(records: list[Any]) -> set[str]:
    return {json.loads(record.value)["post_id"] for record in records}
