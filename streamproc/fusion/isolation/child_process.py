"""One process that holds a plugin's model, from the outside: start it, ask it, end it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO, Any, Final

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.isolation.inbox import Inbox
from streamproc.fusion.isolation.messages import Answer, Order, Refusal, Request, pack, unpack_plain
from streamproc.fusion.isolation.starting import start
from streamproc.fusion.runner import Result
from streamproc.settings import PluginSettings

_MEGABYTE: Final = 1024 * 1024
_LAST_BREATH_S: Final = 1.0
_WATCH_S: Final = 0.25
"""How often it is seen whether a silent process still runs."""
_WATCH_MEMORY_S: Final = 0.02
"""How often its memory is looked at: a process may fill a gigabyte in half a second."""


class ChildLost(Exception):
    """The process is gone or of no more use. The message completes "plugin 'x' ...".

    Attributes:
        by_history: whether what was tagged before may have had its part in it.
    """

    def __init__(self, why: str, *, by_history: bool = True) -> None:
        super().__init__(why)
        self.by_history = by_history


class UnusableAnswer(Exception):
    """There is no result in an answer; the process itself is fine. Completes "plugin 'x' ..."."""


class ChildProcess:
    """A running process; `spawn` starts one.

    It answers requests in the order in which they were sent; several may be on their way.

    Args:
        process: that was started.
        name: the plugin's.
        limits: of time and memory.

    Attributes:
        loaded: whether it has said that its model is loaded.
        answered: how many requests it has answered.
    """

    def __init__(self, process: subprocess.Popen[bytes], name: str, limits: PluginSettings) -> None:
        self.loaded = False
        self.answered = 0
        self._process = process
        self._name = name
        self._deadline_s = limits.deadline_s
        self._memory_mb = limits.memory_mb
        self._watch_s = _WATCH_S if limits.memory_mb is None else _WATCH_MEMORY_S
        self._inbox = Inbox()
        self._answers: asyncio.ReadTransport | None = None
        self._outgoing: asyncio.WriteTransport | None = None
        self._requests = 0

    @classmethod
    async def spawn(cls, name: str, settings: PluginSettings | None = None) -> ChildProcess:
        """Start a process that loads a plugin; `facts` waits for it.

        On Linux it dies with the thread of this loop.

        Raises:
            PluginError: the system starts no process.
        """
        try:
            process, requests, answers = start()
        except OSError as error:
            raise PluginError(f"plugin {name!r}: its process does not start: {error}") from None
        child = cls(process, name, settings or PluginSettings())
        try:
            await child._connect(requests, answers)
        except BaseException:
            await child.close(0)
            raise
        child._send(Order(name, settings, logging.getLogger().getEffectiveLevel()))
        return child

    async def _connect(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._answers, _ = await loop.connect_read_pipe(lambda: self._inbox, answers)
        self._outgoing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, requests)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that was killed while nobody asked it anything does not."""
        return self._process.poll() is None

    async def facts(self, load_s: float) -> PluginFacts:
        """What it says of its plugin once the model is loaded.

        Args:
            load_s: how long that may take.

        Raises:
            PluginError: the plugin cannot be loaded.
            ChildLost: the process ended, or takes too long.
        """

        def watch(waited_s: float) -> None:
            if waited_s > load_s:
                raise ChildLost(f"took longer than {load_s:g} s")

        message = await self._receive(watch)
        if isinstance(message, Refusal):
            raise PluginError(message.why)
        if not isinstance(message, PluginFacts):
            raise ChildLost("did not say what it is")
        self.loaded = True
        return message

    def ask(self, posts: Sequence[FusionInput], explain: bool) -> int:
        """Send a micro-batch to be tagged; returns how many bytes that took. `answer` gives the results."""
        size = self._send(Request.of(self._requests + 1, posts, explain))
        self._requests += 1
        return size

    async def answer(self, posts: Sequence[FusionInput]) -> list[Result]:
        """What the plugin says of each post of the oldest request without an answer, checked over there.

        Raises:
            ChildLost: it ended, took too long or needed too much memory.
            UnusableAnswer: there is no result for each post in its answer.
        """
        message = await self._receive(self._watch)
        if not isinstance(message, Refusal) and not (
            isinstance(message, Answer) and message.number == self.answered + 1
        ):
            raise ChildLost("gave the answer to another batch: does it fork?")
        self.answered += 1
        if isinstance(message, Refusal):
            raise UnusableAnswer(message.why)
        results = message.all_results()
        if len(results) != len(posts):
            raise UnusableAnswer("gave no result for each post")
        return results

    def swollen(self) -> int | None:
        """Megabytes that it holds, where that is more than it may."""
        if self._memory_mb is None:
            return None
        held = _resident_bytes(self.pid) // _MEGABYTE
        return held if held > self._memory_mb else None

    async def close(self, seconds: float) -> bool:
        """Have it give its model back and end; kill it when that takes longer.

        Returns:
            Whether it ended in time.
        """
        if self._outgoing is not None and not self._outgoing.is_closing():
            self._outgoing.abort()
        if self._answers is not None and not self._answers.is_closing():
            self._answers.close()
        try:
            in_time = await self._ends(seconds)
        finally:
            self.kill()
        await self._ends(_LAST_BREATH_S)
        return in_time

    def kill(self) -> None:
        """End it, and what it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    # -- messages ----------------------------------------------------------------------------

    def _send(self, message: object) -> int:
        """Send it, and return how many bytes it has. What cannot be sent any more is told by `_receive`."""
        data = b"".join(pack(message))
        if self._outgoing is not None and not self._outgoing.is_closing():
            self._outgoing.write(data)
        return len(data)

    async def _receive(self, watch: Callable[[float], None]) -> Any:
        """The next message.

        Args:
            watch: given the seconds waited so far, now and then; raises when there is no use in waiting.
        """
        inbox, waited_s = self._inbox, 0.0
        while not inbox.messages:
            if inbox.broken:
                raise ChildLost("wrote into the pipe of its process")
            if inbox.over:
                raise await self._ended()
            before = monotonic()
            came = await inbox.news(self._watch_s)
            # While this loop was busy, or everything stood still, the plugin could not answer.
            waited_s += min(monotonic() - before, 2 * self._watch_s)
            if inbox.messages:
                break
            if not came and not self.alive:
                # A process that it has started keeps the pipe open.
                raise await self._ended()
            watch(waited_s)
        try:
            return unpack_plain(*inbox.messages.popleft())
        except Exception as error:  # noqa: BLE001 - pickle raises whatever what it meets raises
            return Refusal(f"gave what cannot be read: {error}")

    # -- watching ----------------------------------------------------------------------------

    def _watch(self, waited_s: float) -> None:
        if waited_s > self._deadline_s:
            raise ChildLost(f"took longer than {self._deadline_s:g} s", by_history=False)
        if self.swollen() is not None:
            raise ChildLost(f"needed more than {self._memory_mb} MB")

    async def _ends(self, seconds: float) -> bool:
        """Whether the process ends within so long."""
        until = monotonic() + seconds
        while self.alive:
            if monotonic() >= until:
                return False
            await asyncio.sleep(0.01)
        return True

    async def _ended(self) -> ChildLost:
        if not await self._ends(_LAST_BREATH_S):
            return ChildLost("closed the pipe of its process")
        status = self._process.returncode
        if status >= 0:
            return ChildLost(f"ended with status {status}")
        try:
            return ChildLost(f"ended with {signal.Signals(-status).name}")
        except ValueError:
            return ChildLost(f"ended with signal {-status}")


def _resident_bytes(pid: int) -> int:
    """Memory that a process holds; nothing when it is gone. Linux only."""
    try:
        resident = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(resident) * os.sysconf("SC_PAGE_SIZE")
