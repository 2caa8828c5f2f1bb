"""A model in a process of its own that is replaced when it is lost, and who pays for that."""

from __future__ import annotations

import logging
import random
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from streamproc.errors import PluginError, PluginFailed
from streamproc.fusion.api import FusionInput
from streamproc.fusion.child_process import ChildLost, ChildProcess, UnusableAnswer
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.runner import CLOSE_S, BatchLost, Result, checked
from streamproc.settings import PluginSettings

LOAD_S: Final = 300.0
"""How long a plugin may take to load its model."""
STARTS: Final = 5
"""How often in a row a process may fail to start again before the plugin is given up."""

logger = logging.getLogger(__name__)


class Supervised:
    """A plugin's process and its successors. All calls come from one thread, but `kill`.

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
        self._closed = threading.Event()

    @property
    def pid(self) -> int | None:
        """Number of the process, where there is one."""
        return self._child.pid if self._child is not None else None

    def start(self) -> PluginFacts:
        """Load the plugin; returns what there is to know of it.

        Raises:
            PluginError: it cannot be loaded; says why.
        """
        if self._memory_mb is not None and sys.platform != "linux":
            raise PluginError(f"plugins.{self._name}.memory_mb is kept on Linux only: leave it out")
        try:
            self._facts = self._load(self._spawn())
        except ChildLost as lost:
            self._discard()
            raise PluginError(f"plugin {self._name!r} {lost} while it started") from None
        except PluginError:
            self._discard()
            raise
        return self._facts

    def tag(self, posts: Sequence[FusionInput], explain: bool = False) -> list[Result]:
        """One result for each post of one micro-batch, in order; see `tag_all`."""
        return self.tag_all([posts], explain)

    def tag_all(self, batches: Sequence[Sequence[FusionInput]], explain: bool) -> list[Result]:
        """One result for each post of the micro-batches, in order.

        A post is given up when it ends a process that has tagged nothing before it: what others left
        behind (a leak, a damaged heap) is not its fault.

        Raises:
            BatchLost: the process was lost over several posts.
            PluginError: no process can be started any more.
        """
        posts = [post for batch in batches for post in batch]
        if not posts:
            return []
        child = self._ready()
        try:
            answer = child.tag(posts, [len(batch) for batch in batches], explain)
        except (ChildLost, UnusableAnswer) as error:
            return self._after_failure(child, error, posts, explain)
        if (held := child.swollen()) is not None:
            logger.warning(
                "plugin %r holds %d MB after a batch, memory_mb is %d: its process is replaced",
                self._name, held, self._memory_mb,
            )  # fmt: skip
            self._replace()
        return [
            result if isinstance(result, PluginFailed) else checked(self._name, post, result)
            for post, result in zip(posts, answer, strict=True)
        ]

    def close(self) -> None:
        """Have the model given back, and end the process."""
        self._closed.set()
        if self._child is not None:
            # One that still loads its model has nothing to give back.
            self._child.close(CLOSE_S if self._child.loaded else 0)

    def kill(self) -> None:
        """End the process at once, and start no other. From any thread."""
        self._closed.set()
        if (child := self._child) is not None:
            child.kill()

    # -- losing it ---------------------------------------------------------------------------

    def _after_failure(
        self,
        child: ChildProcess,
        error: ChildLost | UnusableAnswer,
        posts: Sequence[FusionInput],
        explain: bool,
    ) -> list[Result]:
        if isinstance(error, ChildLost):
            self._replace()
        if self._closed.is_set():
            raise PluginError(f"plugin {self._name!r} is closed")
        again = isinstance(error, ChildLost) and error.by_history and child.requests > 1
        if len(posts) == 1 and not again:
            return [PluginFailed(f"plugin {self._name!r} {error} on this post")]
        logger.warning("plugin %r %s on a batch of %d: tagged again", self._name, error, len(posts))
        if len(posts) > 1:
            raise BatchLost
        return self.tag(posts, explain)

    def _replace(self) -> None:
        """End the process and start the next one, which loads its model while nobody waits for it."""
        self._discard()
        if not self._closed.is_set():
            with suppress(PluginError):  # whoever needs it tries again, and is told
                self._spawn()

    def _discard(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close(0)

    # -- having one --------------------------------------------------------------------------

    def _ready(self) -> ChildProcess:
        """A process that has loaded the model, started again as often as is sensible."""
        fault = ""
        for number in range(STARTS):
            if number:
                self._closed.wait(self._backoff_s * 2 ** (number - 1) * random.uniform(0.5, 1.5))
            if self._closed.is_set():
                raise PluginError(f"plugin {self._name!r} is closed")
            try:
                if self._child is not None and not self._child.alive:
                    self._discard()
                child = self._child or self._spawn()
                if not child.loaded and self._load(child) != self._facts:
                    raise PluginError("it is another one than when the worker started")
                return child
            except (ChildLost, PluginError) as error:
                fault = str(error)
                logger.warning("plugin %r does not start again: %s", self._name, fault)
                self._discard()
        raise PluginError(f"plugin {self._name!r} does not start again, tried {STARTS} times: {fault}")

    def _load(self, child: ChildProcess) -> PluginFacts:
        facts = child.facts(LOAD_S)
        if (held := child.swollen()) is not None:
            raise PluginError(
                f"plugin {self._name!r} holds {held} MB when it is loaded: "
                f"plugins.{self._name}.memory_mb has to be more"
            )
        return facts

    def _spawn(self) -> ChildProcess:
        self._child = child = ChildProcess.spawn(self._name, self._settings)
        if self._closed.is_set():  # meanwhile, by another thread
            child.kill()
        return child
