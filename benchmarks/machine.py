"""Where and with what it was measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "streamproc", "faust-streaming", "aiokafka", "onnxruntime", "torch", "pydantic", "orjson", "redis",
    "rapidocr", "tritonclient",
)  # fmt: skip


def machine() -> dict[str, str]:
    """Processor, load, Python and packages."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def told_machine() -> str:
    """One line."""
    return "; ".join(f"{name} {value}" for name, value in machine().items())


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in file.open() if "model name" in line]
        if file.exists()
        else []
    )
    return names[0] if names else platform.processor()
