"""Services for which Faust keeps a thread, run on the worker's own loop.

The thread is there so that heartbeats go on while an agent's code holds up the loop. Here no agent's code
does: models have processes or threads of their own. And each record that one thread makes and the other
reads costs a tenth of all that a post costs, in memory that moves between cores and in waiting for Python's
lock.
"""

from __future__ import annotations

import asyncio
from typing import Any


class TaskWorker:
    """Stands where mode has the thread of a `ServiceThread`; its `thread_loop` is the loop that starts it.

    Args:
        service: to be run.
    """

    def __init__(self, service: Any) -> None:
        self._service = service
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to run."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._service.label)

    def stop(self) -> None:
        """Called by mode, which would wait for the thread here: `ended` does it."""

    async def ended(self) -> None:
        """Wait until the service has stopped; it was told to."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            await self._service._serve()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the service has told it
            self._service.set_shutdown()
