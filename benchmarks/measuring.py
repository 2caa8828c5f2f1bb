"""What a measured worker prints, and how its runner reads it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic


@dataclass(frozen=True, slots=True)
class Measured:
    """`seconds` of wall clock and `cpu_seconds` of all threads and children, for so many posts."""

    posts: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Posts a second."""
        return self.posts / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds a post."""
        return self.cpu_seconds / self.posts * 1e6


class Stopwatch:
    """Wall clock and CPU, from its making on: of this process with its threads, and of its children."""

    def __init__(self) -> None:
        self._wall, self._cpu = monotonic(), _cpu()

    def stop(self, posts: int) -> Measured:
        """The time since the start."""
        return Measured(posts, monotonic() - self._wall, _cpu() - self._cpu)


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ended = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return ended + sum(map(_cpu_of, _children(os.getpid())))


def _children(pid: int) -> list[int]:
    """The processes below this one that run, each with its own."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_children(child)]
    return found


def _cpu_of(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def report(measured: Measured) -> None:
    """Print it for `run_worker`, as the last line."""
    print(json.dumps(asdict(measured)), flush=True)


def run_worker(module: str, *arguments: str, python: str = sys.executable) -> Measured:
    """Run a worker as a process of its own and read what it measured.

    Args:
        module: what `python -m` runs.
        arguments: of its command line.
        python: the interpreter, whose packages it uses.
    """
    done = subprocess.run(
        [python, "-m", module, *arguments], capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-3000:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))
