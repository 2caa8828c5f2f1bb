"""Starting the process that holds a plugin's model."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

_CHILD: Final = "streamproc.fusion.isolation.child"


def start() -> tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]:
    """The process, the way for requests to it, and the way for its answers.

    Two pipes: a request that cannot be written any more must not close the way by which answers still come.
    """
    with ExitStack() as theirs, ExitStack() as ours:
        read, ask = os.pipe()
        theirs.callback(os.close, read)
        requests = ours.enter_context(io.FileIO(ask, "w"))
        hear, write = os.pipe()
        theirs.callback(os.close, write)
        answers = ours.enter_context(io.FileIO(hear))
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD, str(read), str(write), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what a plugin prints is not for those who read our output
            env=os.environ | {"PYTHONPATH": _import_path()},
            pass_fds=(read, write),
            # Ctrl-C is for us: the posts under way are still tagged.
            start_new_session=True,
        )
        ours.pop_all()
    return process, requests, answers


def _import_path() -> str:
    """The way to the modules that this process can import."""
    return os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
