"""What of a Triton server's log is for people."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Final

logger = logging.getLogger("streamproc.triton")

_LINE: Final = re.compile(r"([EWI])\d{4} [\d:.]+ \d+ [^\]]+\] (.*)")
_LEVELS: Final = {"E": logging.ERROR, "W": logging.WARNING, "I": logging.DEBUG}
_EXPECTED: Final = (
    # Machines without a GPU.
    "Unable to allocate pinned system memory",
    "CudaDriverHelper has not been initialized",
    "DCGM unable to start",
    "Failed to initialize NVML",
    # Said again where the models are listed.
    "failed to load",
    "Failed to create instance",
    "Failed to initialize Python stub",
)


async def forward(stream: asyncio.StreamReader) -> None:
    """Log the lines of a server as they come: its warnings and errors as such, all else for debugging."""
    while line := await stream.readline():
        level, text = read_line(line.decode(errors="replace").rstrip())
        logger.log(level, "%s", text)


def read_line(line: str) -> tuple[int, str]:
    """The level at which a line is logged, and what it says."""
    matched = _LINE.match(line)
    if matched is None:  # tables, and what the processes of models print
        return logging.DEBUG, line
    text = matched[2].strip('"').partition("\\n")[0]
    expected = any(part in text for part in _EXPECTED)
    return (logging.DEBUG if expected else _LEVELS[matched[1]]), text
