"""Blocking calls in threads that nobody has to wait for.

A read from a silent pipe, or a plugin's endless loop, may never return. The threads of an executor
are joined when the process ends, so it could not end; a daemon thread is left behind.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonThread:
    """Runs calls one after another in a daemon thread of its own, which starts with the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """What the call returns or raises, `SystemExit` and the like included as `RuntimeError`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            if future.done():
                return  # whoever called has left before it was its turn
            try:
                outcome: tuple[T | None, BaseException | None] = (call(*arguments), None)
            except BaseException as error:  # noqa: BLE001 - handed to whoever awaits the call
                outcome = (None, error)
            try:
                loop.call_soon_threadsafe(settle, future, *outcome)
            except RuntimeError:
                return  # the loop has ended meanwhile, and with it whoever awaited

        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name=self._name)
            self._thread.start()
        self._calls.put(work)
        return await future

    def close(self) -> None:
        """No further calls; the running one is left to itself."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def settle(future: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
    """Give a future what a call in a thread returned or raised, unless nobody waits any more."""
    if future.done():
        return
    if error is None:
        future.set_result(result)  # type: ignore[arg-type]  # a result where there is no error
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        future.set_exception(error)
    else:
        # These would end the loop, or mean something else to it.
        future.set_exception(RuntimeError(f"raised {type(error).__name__}"))


async def run_in_daemon_thread(call: Callable[..., T], *arguments: Any) -> T:
    """One call in a daemon thread of its own."""
    thread = DaemonThread("streamproc-call")
    try:
        return await thread.run(call, *arguments)
    finally:
        thread.close()
