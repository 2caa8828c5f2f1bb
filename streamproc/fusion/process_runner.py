"""The runner of a model in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import monotonic
from typing import Final, TypeAlias

from streamproc.daemon import DaemonThread, settle
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.runner import CLOSE_S, BatchLost, Result, Runner
from streamproc.fusion.supervision import Supervised
from streamproc.settings import PluginSettings

logger = logging.getLogger(__name__)


_QUICK_S: Final = 0.01
"""Micro-batches that take less together go in one message: each message costs a switch of threads."""
_AT_ONCE: Final = 16


@dataclass(slots=True, eq=False)
class _Asked:
    batch: Sequence[FusionInput]
    explain: bool
    results: asyncio.Future[list[Result]]


_Outcome: TypeAlias = tuple[list[Result] | None, BaseException | None]


class ProcessRunner(Runner):
    """A model in a supervised process; call `start` first.

    One thread starts the processes and talks to them, so whoever stops waiting for a batch leaves
    nothing half said; and the processes, which die with that thread, live as long as the runner.

    Args:
        name: that routes use.
        settings: the entry of `[plugins]`, where there is one.
    """

    def __init__(self, name: str, settings: PluginSettings | None) -> None:
        self._name = name
        self._supervised = Supervised(name, settings)
        self._thread = DaemonThread(f"plugin-{name}")
        self._asked: deque[_Asked] = deque()
        self._at_once = 1

    @property
    def pid(self) -> int | None:
        """Number of the process, where there is one."""
        return self._supervised.pid

    async def start(self) -> PluginFacts:
        """Load the plugin in its process; returns what there is to know of it.

        Raises:
            PluginError: it cannot be loaded; says why.
        """
        try:
            return await self._thread.run(self._supervised.start)
        except BaseException:
            self._supervised.kill()
            self._thread.close()
            raise

    def _answer_next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer what is asked next, in the thread: with a quick model, several micro-batches at once."""
        answered = self._take()
        if not answered:
            return
        outcomes = self._ask(answered)
        with suppress(RuntimeError):  # the loop has ended meanwhile, and with it whoever awaited
            loop.call_soon_threadsafe(_settle_all, answered, outcomes)

    def _ask(self, asked: Sequence[_Asked]) -> list[_Outcome]:
        """The outcome of each micro-batch. Where a message was lost, each goes by itself."""
        start = monotonic()
        try:
            results = iter(self._supervised.tag_all([a.batch for a in asked], asked[0].explain))
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits the results
            self._at_once = 1
            if isinstance(error, BatchLost) and len(asked) > 1:
                return [outcome for one in asked for outcome in self._ask([one])]
            return [(None, error)] * len(asked)
        each_s = (monotonic() - start) / len(asked)
        self._at_once = int(max(1, min(_AT_ONCE, 2 * self._at_once, _QUICK_S / max(each_s, 1e-6))))
        return [(list(islice(results, len(a.batch))), None) for a in asked]

    def _take(self) -> list[_Asked]:
        """What is answered together: as many micro-batches as the model tags in an instant."""
        taken: list[_Asked] = []
        while self._asked and len(taken) < self._at_once:
            if taken and not _go_together(taken[0], self._asked[0]):
                break
            asked = self._asked.popleft()
            if not asked.results.done():  # whoever asked may have left
                taken.append(asked)
        return taken

    async def tag(self, batch: Sequence[FusionInput], *, explain: bool = False) -> list[Result]:
        loop = asyncio.get_running_loop()
        asked = _Asked(batch, explain, loop.create_future())
        self._asked.append(asked)
        self._thread.put(partial(self._answer_next, loop))
        return await asked.results

    async def close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._thread.run(self._supervised.close)
        except TimeoutError:
            logger.warning(
                "plugin %r did not close within %g s: its process is killed", self._name, CLOSE_S
            )
            self._supervised.kill()
        finally:
            self._thread.close()


def _go_together(one: _Asked, other: _Asked) -> bool:
    """Whether they may share a message. A post by itself may be one that was lost with others before."""
    return one.explain is other.explain and len(one.batch) > 1 and len(other.batch) > 1


def _settle_all(answered: Sequence[_Asked], outcomes: Sequence[_Outcome]) -> None:
    for asked, outcome in zip(answered, outcomes, strict=True):
        settle(asked.results, *outcome)
