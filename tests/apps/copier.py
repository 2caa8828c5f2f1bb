"""A worker process that copies a topic: `python -m tests.apps.copier '{"bootstrap": ..., ...}'`.

Each record's value goes to the target topic with the worker's name behind it; a record is done
when its copy was delivered. Records finish out of order, like real work.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import faust

from streamproc.broker.link import Link
from streamproc.producing import BatchProducer, Outgoing
from streamproc.transport import Batch, BatchSchema, Fetching
from tests.apps.batch_app import make_app


async def copy(batch: Batch, producer: BatchProducer, target: str, name: str, pause: float) -> None:
    """Deliver in slices of ten, the last slice first."""
    for start in reversed(range(0, len(batch), 10)):
        if batch.revoked:
            return
        slice_ = range(start, min(start + 10, len(batch)))
        await producer.send([Outgoing(target, batch[i].key, batch[i].value + b" " + name) for i in slice_])
        for i in slice_:
            batch.done(i)
        await asyncio.sleep(pause)


def main(options: dict[str, Any]) -> None:
    """Run until a signal comes."""
    app = make_app(
        options["bootstrap"], options["group"], Path(options["folder"]), Fetching(max_in_flight=400)
    )
    producer = BatchProducer(Link(options["bootstrap"]))
    source = app.topic(options["source"], schema=BatchSchema())
    tasks: set[asyncio.Task[None]] = set()

    @app.agent(source)
    async def copying(stream: Any) -> None:
        await producer.start()
        async for event in stream.noack().events():
            work = copy(
                event.value, producer, options["target"], options["name"].encode(), options["pause"]
            )
            task = asyncio.create_task(work)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    faust.Worker(app, loglevel="warning").execute_from_commandline()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
