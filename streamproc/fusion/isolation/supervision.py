"""A plugin's process and its successors: started, looked after, replaced."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from contextlib import suppress
from typing import Final

from streamproc.errors import PluginError
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.isolation.child_process import ChildLost, ChildProcess
from streamproc.fusion.runner import CLOSE_S
from streamproc.settings import PluginSettings

LOAD_S: Final = 300.0
"""How long a plugin may take to load its model."""
STARTS: Final = 5
"""How often in a row a process may fail to start again before the plugin is given up."""

logger = logging.getLogger(__name__)


class Supervised:
    """A plugin's process, and the next one when that is lost. One caller at a time.

    Args:
        name: that routes use.
        settings: the entry of `[plugins]`, where there is one.
        backoff_s: pause after the first failed start; each further one is about twice as long.
    """

    def __init__(self, name: str, settings: PluginSettings | None, *, backoff_s: float = 0.5) -> None:
        self._name = name
        self._settings = settings
        self._memory_mb = settings.memory_mb if settings is not None else None
        self._backoff_s = backoff_s
        self._child: ChildProcess | None = None
        self._facts: PluginFacts | None = None

    @property
    def pid(self) -> int | None:
        """Number of the process, where there is one."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> PluginFacts:
        """Load the plugin; returns what there is to know of it.

        Raises:
            PluginError: it cannot be loaded; says why.
        """
        if self._memory_mb is not None and sys.platform != "linux":
            raise PluginError(f"plugins.{self._name}.memory_mb is kept on Linux only: leave it out")
        try:
            self._facts = await self._load(await self._spawn())
        except ChildLost as lost:
            await self._discard()
            raise PluginError(f"plugin {self._name!r} {lost} while it started") from None
        except BaseException:
            await self._discard()
            raise
        return self._facts

    async def ready(self) -> ChildProcess:
        """A process that has loaded the model, started again as often as is sensible.

        Raises:
            PluginError: none can be started any more.
        """
        fault = ""
        for number in range(STARTS):
            if number:
                await asyncio.sleep(self._backoff_s * 2 ** (number - 1) * random.uniform(0.5, 1.5))
            try:
                if self._child is not None and not self._child.alive:
                    await self._discard()
                child = self._child or await self._spawn()
                if not child.loaded and await self._load(child) != self._facts:
                    raise PluginError("it is another one than when the worker started")
                return child
            except (ChildLost, PluginError) as error:
                fault = str(error)
                logger.warning("plugin %r does not start again: %s", self._name, fault)
                await self._discard()
        raise PluginError(f"plugin {self._name!r} does not start again, tried {STARTS} times: {fault}")

    async def relieve(self, child: ChildProcess) -> bool:
        """Replace a process that holds more than it may after a batch. Whether it was replaced."""
        if (held := child.swollen()) is None:
            return False
        logger.warning(
            "plugin %r holds %d MB after a batch, memory_mb is %d: its process is replaced",
            self._name, held, self._memory_mb,
        )  # fmt: skip
        await self.replace()
        return True

    async def replace(self) -> None:
        """End the process and start the next one, which loads its model while nobody waits for it."""
        await self._discard()
        with suppress(PluginError):  # whoever needs it tries again, and is told
            await self._spawn()

    async def close(self) -> None:
        """Have the model given back, and end the process."""
        if self._child is None:
            return
        # One that still loads its model has nothing to give back.
        if not await self._child.close(CLOSE_S if self._child.loaded else 0) and self._child.loaded:
            logger.warning(
                "plugin %r did not close within %g s: its process is killed", self._name, CLOSE_S
            )

    async def _discard(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.close(0)

    async def _spawn(self) -> ChildProcess:
        self._child = child = await ChildProcess.spawn(self._name, self._settings)
        return child

    async def _load(self, child: ChildProcess) -> PluginFacts:
        facts = await child.facts(LOAD_S)
        if (held := child.swollen()) is not None:
            raise PluginError(
                f"plugin {self._name!r} holds {held} MB when it is loaded: "
                f"plugins.{self._name}.memory_mb has to be more"
            )
        return facts
