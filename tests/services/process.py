"""A server as a child process: it dies with the test run, and says why when it does not come up."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: also when pytest is killed with -9
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the test run is gone already")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def require(part: str, reason: str) -> NoReturn:
    """Skip what needs a part that cannot be started; fail where every part has to be there."""
    message = f"{part}: {reason}"
    if os.environ.get("STREAMPROC_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{message} (STREAMPROC_REQUIRE_SERVICES=1)")
    pytest.skip(message)


def free_ports(number: int) -> list[int]:
    """Loopback ports that nobody listens on, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def tied(command: Sequence[str]) -> list[str]:
    """The command as a process that dies with this one."""
    return [sys.executable, "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]


class Server:
    """A running server. Use as a context manager.

    Args:
        command: the program and its arguments.
        folder: where it runs and where `output.log` goes.
        ready: whether it serves; asked until it does.
        seconds: how long that may take.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, ready: Callable[[], bool], seconds: float = 60
    ) -> None:
        self.log = folder / "output.log"
        self.log.write_bytes(b"")
        self._command = tied(command)
        self._ready = ready
        self._seconds = seconds
        self.start()

    def start(self) -> None:
        """Start it, in the same folder as before where it ran already."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + self._seconds
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = self.log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{self._process.args!r} did not come up:\n{tail}")
            time.sleep(0.05)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it without a warning."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it: asked first, killed when it does not listen."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
