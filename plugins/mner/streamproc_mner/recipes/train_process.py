"""`streamproc train` in a process of its own, whose memory and threads end with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from streamproc.errors import StreamprocError


class TrainingEnded(StreamprocError):
    """A training came to no result.

    Args:
        code: that its process ended with.
        said: what it wrote on standard error, where that was kept.
    """

    def __init__(self, code: int, said: str) -> None:
        self.code = code
        lines = said.strip().splitlines()
        super().__init__(lines[-1].removeprefix("error: ") if lines else f"exit code {code}")


def train_in_a_process(arguments: Sequence[str], *, quiet: bool = False) -> Mapping[str, Any]:
    """Train, and wait for the end.

    Args:
        arguments: of `streamproc train`, but for `--json`.
        quiet: keep what it says for the error, as is best for many at a time; else that goes to standard
            error.

    Returns:
        What `--json` says of the run.

    Raises:
        TrainingEnded: it failed, or was stopped.
    """
    command = [sys.executable, "-m", "streamproc", "train", *arguments, "--json"]
    said = subprocess.PIPE if quiet else None
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=said, text=True, check=False)
    if ended.returncode:
        raise TrainingEnded(ended.returncode, ended.stderr or "")
    told: dict[str, Any] = json.loads(ended.stdout)
    return told
