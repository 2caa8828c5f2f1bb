"""One process that holds a plugin's model, from the outside: start it, ask it, end it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.messages import (
    Answer,
    Batches,
    BrokenFrame,
    Order,
    Refusal,
    pack,
    receive,
    unpack_plain,
)
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
    """A running process; `spawn` starts one. All calls but `kill` come from the thread that spawned it.

    Args:
        process: that was started.
        connection: to it.
        name: the plugin's.
        limits: of time and memory.

    Attributes:
        loaded: whether it has said that its model is loaded.
        requests: how often it was asked for tags.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        connection: socket.socket,
        name: str,
        limits: PluginSettings,
    ) -> None:
        self.loaded = False
        self.requests = 0
        self._process = process
        self._connection = connection
        self._name = name
        self._deadline_s = limits.deadline_s
        self._memory_mb = limits.memory_mb
        connection.settimeout(_WATCH_S if limits.memory_mb is None else _WATCH_MEMORY_S)

    @classmethod
    def spawn(cls, name: str, settings: PluginSettings | None = None) -> ChildProcess:
        """Start a process that loads a plugin; `facts` waits for it.

        On Linux it dies with the calling thread.

        Raises:
            PluginError: the system starts no process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            module = "streamproc.fusion.child"
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", module, str(descriptor), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # what a plugin prints is not for those who read our output
                    env=os.environ | {"PYTHONPATH": _import_path()},
                    pass_fds=(descriptor,),
                    # Ctrl-C is for us: the posts under way are still tagged.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise PluginError(f"plugin {name!r}: its process does not start: {error}") from None
        child = cls(process, ours, name, settings or PluginSettings())
        with suppress(ChildLost):  # `facts` says so
            child._send(Order(name, settings, logging.getLogger().getEffectiveLevel()))
        return child

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that was killed while nobody asked it anything does not."""
        return self._process.poll() is None

    def facts(self, load_s: float) -> PluginFacts:
        """What it says of its plugin once the model is loaded.

        Args:
            load_s: how long that may take.

        Raises:
            PluginError: the plugin cannot be loaded.
            ChildLost: the process ended, or takes too long.
        """
        until = monotonic() + load_s
        answer = self._answer(partial(self._watch_loading, until, load_s))
        if isinstance(answer, Refusal):
            raise PluginError(answer.why)
        if not isinstance(answer, PluginFacts):
            raise ChildLost("did not say what it is")
        self.loaded = True
        return answer

    def tag(self, posts: Sequence[FusionInput], sizes: list[int], explain: bool) -> list[Any]:
        """What the plugin says of each post, unchecked; `sizes` are those of its micro-batches.

        Raises:
            ChildLost: it ended, took too long or needed too much memory.
            UnusableAnswer: there is no result for each post in its answer.
        """
        self.requests += 1
        watch = partial(self._watch, monotonic() + self._deadline_s)
        self._send(Batches.of(self.requests, posts, sizes, explain), watch)
        answer = self._answer(watch)
        if isinstance(answer, Refusal):
            raise UnusableAnswer(answer.why)
        if not isinstance(answer, Answer) or answer.number != self.requests:
            raise ChildLost("gave the answer to another batch: does it fork?")
        if len(answer.results) != len(posts):
            raise UnusableAnswer("gave no result for each post")
        return answer.results

    def swollen(self) -> int | None:
        """Megabytes that it holds, where that is more than it may."""
        if self._memory_mb is None:
            return None
        held = _resident_bytes(self.pid) // _MEGABYTE
        return held if held > self._memory_mb else None

    def close(self, seconds: float) -> None:
        """Have it give its model back and end; kill it when that takes longer."""
        self._connection.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()
        self._process.wait()

    def kill(self) -> None:
        """End it, and what it has started. From any thread."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    # -- frames ------------------------------------------------------------------------------

    def _send(self, message: object, watch: Callable[[], None] = lambda: None) -> None:
        for piece in pack(message):
            view = memoryview(piece).cast("B")
            while view:
                try:
                    view = view[self._connection.send(view) :]
                except TimeoutError:
                    watch()
                except OSError:
                    raise self._ended() from None

    def _answer(self, watch: Callable[[], None]) -> Any:
        try:
            packed = receive(lambda size: self._read(size, watch))
        except BrokenFrame:
            raise ChildLost("wrote into the pipe of its process") from None
        try:
            return unpack_plain(*packed)
        except Exception as error:  # noqa: BLE001 - pickle raises whatever what it meets raises
            return Refusal(f"gave what cannot be read: {error}")

    def _read(self, size: int, watch: Callable[[], None]) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                count = self._connection.recv_into(view)
            except TimeoutError:
                watch()
                continue
            except OSError:
                count = 0
            if not count:
                raise self._ended()
            view = view[count:]
        return data

    # -- watching ----------------------------------------------------------------------------

    def _watch(self, until: float) -> None:
        self._see_that_it_runs()
        if monotonic() > until:
            raise ChildLost(f"took longer than {self._deadline_s:g} s", by_history=False)
        if self.swollen() is not None:
            raise ChildLost(f"needed more than {self._memory_mb} MB")

    def _watch_loading(self, until: float, load_s: float) -> None:
        self._see_that_it_runs()
        if monotonic() > until:
            raise ChildLost(f"took longer than {load_s:g} s")

    def _see_that_it_runs(self) -> None:
        """A process that it has started may keep the connection open when it ends itself."""
        if self._process.poll() is not None:
            raise self._ended()

    def _ended(self) -> ChildLost:
        try:
            status = self._process.wait(_LAST_BREATH_S)
        except subprocess.TimeoutExpired:
            return ChildLost("closed the pipe of its process")
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


def _import_path() -> str:
    """The way to the modules that this process can import."""
    return os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
