"""A Triton server from the nvidia-pytriton wheel, with streamproc's models or models made for a test."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from streamproc.errors import PluginError
from streamproc.triton.installation import (
    find_installation,
    find_repository,
    lay_out,
    server_environment,
)
from streamproc.triton.parameters import ENVIRONMENT_PREFIX
from streamproc.triton.server import ServerOptions, server_command
from tests.services.process import Server, free_ports, listens, require


@dataclass
class Triton:
    """A server that can be ended and started again at the same address.

    Attributes:
        url: for `open_triton`.
        folder: what it reads, and its log.
    """

    options: ServerOptions
    folder: Path
    environment: Mapping[str, str]
    flags: Sequence[str] = ()
    server: Server | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return self.options.url

    def start(self) -> None:
        """Start it; every model is loaded or refused then."""
        command = [*server_command(find_installation(), self.options, self.folder), *self.flags]
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        # Once it listens for metrics, it serves all else.
        self.server = Server(
            ["env", *settings, *command], self.folder, lambda: listens(self.options.metrics_port)
        )

    def kill(self) -> None:
        """End it without a warning."""
        assert self.server is not None
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.stop()

    def metric(self, name: str, model: str, **labels: str) -> float:
        """One of its counters or gauges, for a model; 0 where there is none yet."""
        with urlopen(f"http://127.0.0.1:{self.options.metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        found = 0.0
        for line in re.findall(rf"^{name}{{.*$", text, re.M):
            if all(f'{key}="{value}"' in line for key, value in {"model": model, **labels}.items()):
                found += float(line.rpartition(" ")[2])
        return found


@contextmanager
def running(
    folder: Path,
    models: Sequence[str | Path] = ("ocr",),
    parameters: Mapping[str, Mapping[str, str]] | None = None,
    flags: Sequence[str] = (),
) -> Iterator[Triton]:
    """Run a server.

    Args:
        folder: an empty one.
        models: names of streamproc's, and folders of others (`made_model`).
        parameters: of models, by name.
        flags: further ones of tritonserver.
    """
    try:
        installation = find_installation()
    except PluginError as error:
        require("Triton", str(error))
    grpc_port, http_port, metrics_port = free_ports(3)
    options = ServerOptions(
        models=models, grpc_port=grpc_port, http_port=http_port, metrics_port=metrics_port
    )
    given = {
        f"{ENVIRONMENT_PREFIX}{name}__{key}".upper(): value
        for name, of_model in (parameters or {}).items()
        for key, value in of_model.items()
    }
    base = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", **given}
    repository = find_repository()
    lay_out(installation, [repository / m if isinstance(m, str) else m for m in models], folder)
    triton = Triton(options, folder, server_environment(installation, base), flags)
    triton.start()
    try:
        yield triton
    finally:
        if triton.server is not None:
            triton.server.stop()
        for left_behind in Path("/dev/shm").glob(f"{folder.name}*"):
            left_behind.unlink()


def made_model(
    folder: Path,
    name: str,
    *,
    like: str = "ocr",
    engine: str | None = None,
    code: Path | None = None,
    changes: Mapping[str, str] | None = None,
) -> Path:
    """Make a model for a test: one of streamproc's with another name.

    Args:
        folder: where it is put.
        name: its name.
        like: the model that it is a copy of.
        engine: `module:Class` of the engine that it runs.
        code: a model.py of its own.
        changes: in the text of config.pbtxt.
    """
    source = find_repository() / like
    config = (source / "config.pbtxt").read_text()
    changes = {f'name: "{like}"\nbackend': f'name: "{name}"\nbackend', **(changes or {})}
    for old, new in changes.items():
        assert old in config, f"{old!r} is not in the configuration of {like}"
        config = config.replace(old, new)
    if engine is not None:
        config += f'parameters {{ key: "engine" value {{ string_value: "{engine}" }} }}\n'
    made = folder / name
    (made / "1").mkdir(parents=True)
    (made / "config.pbtxt").write_text(config)
    (made / "1" / "model.py").write_text((code or source / "1" / "model.py").read_text())
    return made
