"""A worker as a process that the benchmark starts and ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

END_S: Final = 20.0


class Worker:
    """A running worker; what it wrote last is kept."""

    def __init__(self, process: subprocess.Popen[bytes], log: str) -> None:
        self._process = process
        self._log = log

    @property
    def ended(self) -> int | None:
        """Its exit status; `None` while it runs."""
        return self._process.poll()

    @property
    def last_words(self) -> str:
        """The last line that it wrote; librdkafka's own, which begin with %, tell of its end only."""
        lines = Path(self._log).read_text("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip() and line[0] != "%"), "")


@contextmanager
def started(
    python: str, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Worker]:
    """Run `python -m module`; it is asked to end at the end, and killed when it does not."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".log") as log:
        process = subprocess.Popen(
            [python, "-m", module, *arguments], stdout=log, stderr=log, env=environment
        )
        try:
            yield Worker(process, log.name)
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def our_worker(settings: Sequence[str], python: str = sys.executable) -> tuple[str, str, list[str]]:
    """`streamproc worker` with these settings, as `started` takes it."""
    sets = [part for setting in settings for part in ("--set", setting)]
    return python, "streamproc", ["worker", "--log-level", "error", *sets]
