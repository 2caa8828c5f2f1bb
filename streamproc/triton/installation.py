"""The Triton server that comes with the nvidia-pytriton wheel, and what it needs to run here."""

from __future__ import annotations

import ctypes
import os
import shutil
import site
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from streamproc.errors import PluginError, SettingsError


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the parts of a server are.

    Attributes:
        program: tritonserver.
        libraries: folders for the dynamic linker, in order.
        backend: files of the Python backend.
    """

    program: Path
    libraries: tuple[Path, ...]
    backend: tuple[Path, ...]


def find_installation() -> Installation:
    """The server of the wheel, for this Python.

    Raises:
        PluginError: the wheel is not installed, or has no part for this Python; says what to do.
    """
    spec = find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise PluginError(
            "running Triton here needs its server (Linux): pip install --no-deps nvidia-pytriton==0.7.0"
        )
    root = Path(spec.origin).parent / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = root / "bin" / "tritonserver"
    stub = root / "python_backend_stubs" / version / "triton_python_backend_stub"
    for part in (program, stub):
        if not part.is_file():
            raise PluginError(f"nvidia-pytriton has no {part.relative_to(root)}: expected release 0.7.0")
    backend = (*(file for file in (root / "backends" / "python").iterdir() if file.is_file()), stub)
    return Installation(
        program, (*_python_library(version), root.parents[1] / "nvidia_pytriton.libs"), backend
    )


def find_repository() -> Path:
    """The folder of models: in the installed package, or in the checkout.

    Raises:
        PluginError: it is at neither place.
    """
    package = Path(__file__).parents[1]
    places = (package / "triton" / "models", package.parent / "deploy" / "triton" / "models")
    for place in places:
        if place.is_dir():
            return place
    raise PluginError(f"no model repository: expected {places[0]} or {places[1]}")


def lay_out(installation: Installation, models: Iterable[Path], folder: Path) -> None:
    """Make what a server reads: `backends/python` and `models` with the chosen models.

    Raises:
        SettingsError: one of the models is not there.
    """
    backend = folder / "backends" / "python"
    backend.mkdir(parents=True)
    for file in installation.backend:
        shutil.copy(file, backend)
        (backend / file.name).chmod(0o755)
    (folder / "models").mkdir()
    for model in models:
        if not (model / "config.pbtxt").is_file():
            known = ", ".join(sorted(path.parent.name for path in model.parent.glob("*/config.pbtxt")))
            raise SettingsError(f"no model {model.name!r} in {model.parent}: known are {known}")
        (folder / "models" / model.name).symlink_to(model.resolve())


def server_environment(installation: Installation, base: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the server and its Python processes find what this process finds.

    Args:
        installation: where the linker looks.
        base: what else they are given.
    """
    here = str(Path(sys.executable).parent)
    sites = [*site.getsitepackages(), str(Path(__file__).parents[2])]
    linked = [*map(str, installation.libraries), *filter(None, [base.get("LD_LIBRARY_PATH")])]
    return {
        **base,
        # Python in the stub finds the virtual environment that it belongs to by the first python3 here.
        "PATH": os.pathsep.join([here, base.get("PATH", os.defpath)]),
        "LD_LIBRARY_PATH": os.pathsep.join(linked),
        "STREAMPROC_SITE": os.pathsep.join(sites),
    }


def _python_library(version: str) -> tuple[Path, ...]:
    """The folder of this Python's own library: another one of the same version would not fit its modules.

    Raises:
        PluginError: there is none.
    """
    name = f"libpython{version}.so.1.0"
    folders = [Path(sys.base_prefix) / "lib"]
    if libdir := sysconfig.get_config_var("LIBDIR"):
        folders = [Path(libdir), Path(libdir) / (sysconfig.get_config_var("MULTIARCH") or ""), *folders]
    for folder in folders:
        if (folder / name).exists():
            return (folder,)
    try:
        ctypes.CDLL(name)
    except OSError:
        raise PluginError(
            f"Triton's Python backend needs {name}, which this Python does not bring: "
            f"apt install libpython{version}, or a Python built with --enable-shared"
        ) from None
    return ()
