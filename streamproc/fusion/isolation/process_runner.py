"""The runner of a model in a process of its own, and who pays when that is lost."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streamproc.daemon import settle
from streamproc.errors import PluginError, PluginFailed
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.isolation.child_process import ChildLost, ChildProcess, UnusableAnswer
from streamproc.fusion.isolation.supervision import Supervised
from streamproc.fusion.runner import BatchLost, Result, Runner
from streamproc.settings import PluginSettings

logger = logging.getLogger(__name__)

_AHEAD_BYTES: Final = 256 * 1024
"""While the process has so much before it, it gets no more: it is never idle, nor do pictures pile up."""


@dataclass(slots=True, eq=False)
class _Asked:
    batch: Sequence[FusionInput]
    explain: bool
    results: asyncio.Future[list[Result]]
    size: int = 0


class ProcessRunner(Runner):
    """A model in a supervised process; call `start` first.

    Micro-batches go to the process before the one ahead of them is answered, so that it need not wait for
    this loop. Each is a message of its own, with its own deadline, and loses nothing but itself.

    Args:
        name: that routes use.
        settings: the entry of `[plugins]`, where there is one.
        backoff_s: pause after the first failed start; each further one is about twice as long.
    """

    def __init__(self, name: str, settings: PluginSettings | None, *, backoff_s: float = 0.5) -> None:
        self._name = name
        # Whose memory is watched gets one at a time: what it holds is then that one's.
        self._ahead_bytes = _AHEAD_BYTES if (settings or PluginSettings()).memory_mb is None else 0
        self._supervised = Supervised(name, settings, backoff_s=backoff_s)
        self._waiting: deque[_Asked] = deque()
        self._sent: deque[_Asked] = deque()
        self._unanswered = 0
        self._child: ChildProcess | None = None
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._over = "is closed"

    @property
    def pid(self) -> int | None:
        """Number of the process, where there is one."""
        return self._supervised.pid

    async def start(self) -> PluginFacts:
        """Load the plugin in its process; returns what there is to know of it.

        Raises:
            PluginError: it cannot be loaded; says why.
        """
        facts = await self._supervised.start()
        self._task = asyncio.create_task(self._run(), name=f"plugin-{self._name}")
        return facts

    async def tag(self, batch: Sequence[FusionInput], *, explain: bool = False) -> list[Result]:
        if self._task is None or self._task.done():
            raise PluginError(f"plugin {self._name!r} {self._over}")
        if not batch:
            return []
        asked = _Asked(batch, explain, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._feed()
        self._arrived.set()
        return await asked.results

    async def close(self) -> None:
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
        finally:
            await self._supervised.close()

    # -- asking ------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._tag_all()
        except Exception as error:
            self._over = f"cannot be asked any more: {error!r}"
            raise
        finally:  # nobody must wait for it for ever
            self._refuse_all(PluginError(f"plugin {self._name!r} {self._over}"))

    async def _tag_all(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            try:
                child = await self._supervised.ready()
            except PluginError as error:
                self._refuse_all(error)
                continue
            try:
                await self._converse(child)
            except ChildLost as lost:
                self._settle_lost(child, lost)
                await self._supervised.replace()
            if self._waiting:
                self._arrived.set()

    async def _converse(self, child: ChildProcess) -> None:
        """Have micro-batches tagged until none is left, or the process has to be replaced.

        Raises:
            ChildLost: over the first of those that wait then.
        """
        self._child = child
        self._feed()
        try:
            while self._sent:
                await self._answer_next(child)
                if await self._supervised.relieve(child):
                    return
                self._feed()
        finally:
            self._child = None
            self._waiting.extendleft(reversed(self._sent))
            self._sent.clear()
            self._unanswered = 0

    def _feed(self) -> None:
        """Send what waits, as long as the process has not enough before it."""
        while self._child is not None and self._waiting:
            if self._sent and self._unanswered >= self._ahead_bytes:
                return
            asked = self._waiting.popleft()
            if asked.results.done():  # whoever asked has left
                continue
            try:
                asked.size = self._child.ask(asked.batch, asked.explain)
            except Exception as error:  # noqa: BLE001 - pickle raises whatever what it meets raises
                settle(asked.results, None, error)
                continue
            self._sent.append(asked)
            self._unanswered += asked.size

    async def _answer_next(self, child: ChildProcess) -> None:
        """Hand out the results of the oldest micro-batch that was sent.

        Raises:
            ChildLost: there are none.
        """
        asked = self._sent[0]
        try:
            answer = await child.answer(asked.batch)
        except UnusableAnswer as error:
            self._settle_failed(asked, error)
        else:
            settle(asked.results, answer, None)
        self._sent.popleft()
        self._unanswered -= asked.size

    # -- losing it ---------------------------------------------------------------------------

    def _settle_lost(self, child: ChildProcess, lost: ChildLost) -> None:
        """The process was lost over the first micro-batch that waits.

        A post is given up when it ends a process that has tagged nothing before it: what others left
        behind (a leak, a damaged heap) is not its fault.
        """
        asked = self._waiting[0]
        if len(asked.batch) == 1 and lost.by_history and child.answered:
            self._tell_again(asked, lost)
        else:
            self._waiting.popleft()
            self._settle_failed(asked, lost)

    def _settle_failed(self, asked: _Asked, error: ChildLost | UnusableAnswer) -> None:
        """A post by itself is given up; nobody knows which of several it was."""
        if len(asked.batch) == 1:
            failed: Result = PluginFailed(f"plugin {self._name!r} {error} on this post")
            settle(asked.results, [failed], None)
        else:
            self._tell_again(asked, error)
            settle(asked.results, None, BatchLost())

    def _tell_again(self, asked: _Asked, error: Exception) -> None:
        logger.warning("plugin %r %s on a batch of %d: tagged again", self._name, error, len(asked.batch))

    def _refuse_all(self, error: PluginError) -> None:
        while self._waiting:
            settle(self._waiting.popleft().results, None, error)
