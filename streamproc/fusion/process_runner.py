"""The runner of a model in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from streamproc.daemon import DaemonThread
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.runner import CLOSE_S, Result, Runner
from streamproc.fusion.supervision import Supervised
from streamproc.settings import PluginSettings

logger = logging.getLogger(__name__)


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

    async def tag(self, batch: Sequence[FusionInput], *, explain: bool = False) -> list[Result]:
        return await self._thread.run(self._supervised.tag, batch, explain)

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
