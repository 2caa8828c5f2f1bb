"""Workers as processes: `python -m streamproc worker`, and the signals that befall them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Final

from tests.services.process import tied

ROOT: Final = Path(__file__).parents[2]


class Broken(Exception):
    """A scenario cannot go on, or something that was promised did not come."""


async def until(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Wait for a condition.

    Raises:
        Broken: it does not come true.
    """
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            raise Broken(f"waited {seconds:g} s, and not yet: {what}")
        await asyncio.sleep(0.02)


class Process:
    """A command of streamproc that runs.

    Args:
        arguments: of `python -m streamproc`.
        log: where it writes.
        environment: what it has beside ours.
    """

    def __init__(self, arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        self.asked_to_end = False
        self._expected = False
        paths = [*filter(None, [environment.get("PYTHONPATH")]), str(ROOT)]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                tied([sys.executable, "-m", "streamproc", *arguments]),
                cwd=ROOT,
                env=os.environ | environment | {"PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """End it without a warning."""
        self.asked_to_end = self._expected = True
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def ask_to_end(self) -> None:
        self.asked_to_end = True
        self._process.send_signal(signal.SIGTERM)

    async def ended(self, seconds: float = 60.0) -> int:
        """Its exit code, once it has ended.

        Raises:
            Broken: it goes on.
        """
        await until(lambda: not self.runs, f"the process ends; {self.last_words()}", seconds)
        return self._process.wait()

    def forgive(self) -> None:
        """Its end is as it should be."""
        self._expected = True

    @property
    def failed(self) -> bool:
        """Whether it ended unasked, or otherwise than it was asked to."""
        code = self._process.poll()
        if self._expected or (self.asked_to_end and code == 0):
            return False
        # Python itself has not got as far as the worker's handler of the signal.
        return not (self.asked_to_end and code == -signal.SIGTERM and not self.log().strip())

    def last_words(self) -> str:
        """The last line that it wrote, and its exit code."""
        lines = self.log().strip().splitlines() or ["nothing"]
        return f"{lines[-1][:300]} (exit {self._process.poll()})"
