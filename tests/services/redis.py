"""A Redis server that keeps nothing on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.process import Server, free_ports, listens, require


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server; gives its URL."""
    program = shutil.which("redis-server")
    if program is None:
        require("Redis", "no redis-server on the path")
        raise AssertionError
    (port,) = free_ports(1)
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with Server(command, folder, lambda: listens(port), seconds=20):
        yield f"redis://127.0.0.1:{port}/0"
