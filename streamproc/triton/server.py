"""Runs a Triton server with streamproc's models on this machine, until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streamproc.errors import ExtractorUnavailable, SettingsError
from streamproc.triton.installation import (
    Installation,
    find_installation,
    find_repository,
    lay_out,
    server_environment,
)
from streamproc.triton.log import forward
from streamproc.vision.triton import ServerState, TritonOptions, check_triton
from streamproc.vision.triton.client import TritonClient
from streamproc.vision.triton.errors import Kind, TritonFailed

logger = logging.getLogger(__name__)

_ASK_AGAIN_S: Final = 0.2
_ANSWER_S: Final = 5.0
_EXIT_S: Final = 10
_SHARED_MEMORY: Final = Path("/dev/shm")
_END_WITH_PARENT: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: also when we are killed with -9
if os.getppid() != int(sys.argv[1]):
    sys.exit("nobody is there any more who wants a server")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server is run.

    Attributes:
        models: names, or folders of other models.
        host: the address that it listens on.
        grpc_port, http_port, metrics_port: where.
        parameters: of engines, as variables of the environment.
    """

    models: Sequence[str | Path]
    host: str = "127.0.0.1"
    grpc_port: int = 8001
    http_port: int = 8000
    metrics_port: int = 8002
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where workers on this machine ask it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        return f"triton://{host}:{self.grpc_port}"


class TritonServer:
    """A server as a child process, in a temporary folder of its own.

    Use as an async context manager; it ends the server.

    Raises:
        PluginError: the server's wheel or the models are not there.
        SettingsError: a model is none of the repository's, or a port is taken.
    """

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self._installation = find_installation()
        self._folder = Path(tempfile.mkdtemp(prefix="streamproc-triton-"))
        self._process: asyncio.subprocess.Process | None = None
        self._log: asyncio.Task[None] | None = None

    async def __aenter__(self) -> TritonServer:
        try:
            self._find_ports_free()
            repository = find_repository()
            models = [repository / m if isinstance(m, str) else m for m in self.options.models]
            lay_out(self._installation, models, self._folder)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _END_WITH_PARENT, str(os.getpid())),
                *server_command(self._installation, self.options, self._folder),
                env=server_environment(self._installation, {**os.environ, **self.options.parameters}),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                process_group=0,  # Ctrl-C is for us to pass on
            )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        assert self._process.stdout is not None
        self._log = asyncio.create_task(forward(self._process.stdout))
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_EXIT_S + 5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._log is not None:
            await self._log
        shutil.rmtree(self._folder, ignore_errors=True)
        for left_behind in _SHARED_MEMORY.glob(f"{self._folder.name}*"):
            left_behind.unlink(missing_ok=True)

    async def ready(self) -> ServerState:
        """Wait until every model is loaded or refused.

        Raises:
            ExtractorUnavailable: the server ended instead.
        """
        while True:
            (state,) = await check_triton(self.options.url)
            self._still_running()
            if state.server is not None:
                return state
            await asyncio.sleep(_ASK_AGAIN_S)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def dead(self, models: Sequence[str]) -> list[str]:
        """Those of its models whose process died."""
        client = TritonClient(self.options.url, TritonOptions(deadline_s=_ANSWER_S, retries=0))
        dead = []
        try:
            for model in models:
                try:
                    await client.ask(model, b"", ())
                except TritonFailed as error:
                    if error.failing.kind is Kind.DEAD:
                        dead.append(model)
        finally:
            await client.close()
        return dead

    async def ended(self) -> None:
        """Wait for the server's end.

        Raises:
            ExtractorUnavailable: always: nobody asked it to end.
        """
        assert self._process is not None
        await self._process.wait()
        self._still_running()

    def _find_ports_free(self) -> None:
        """Another server at one of the ports would answer for ours."""
        host = self.options.host
        ports = {
            "grpc": self.options.grpc_port,
            "http": self.options.http_port,
            "metrics": self.options.metrics_port,
        }
        for name, port in ports.items():
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise SettingsError(
                        f"cannot listen on {host}:{port}: {error.strerror}: choose another --{name}-port"
                    ) from None

    def _still_running(self) -> None:
        assert self._process is not None
        if (code := self._process.returncode) is not None:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            raise ExtractorUnavailable(
                f"tritonserver ended {how}; its log says why (all of it with --verbose)"
            )


def server_command(installation: Installation, options: ServerOptions, folder: Path) -> list[str]:
    """The command line of a server over what `lay_out` made in a folder."""
    return [
        str(installation.program),
        f"--model-repository={folder / 'models'}",
        f"--backend-directory={folder / 'backends'}",
        f"--backend-config=python,shm-region-prefix-name={folder.name}",
        "--disable-auto-complete-config",
        # A model without its weights does not take the others along; /v2/health/ready says no then.
        "--exit-on-error=false",
        "--strict-readiness=true",
        f"--exit-timeout-secs={_EXIT_S}",
        f"--http-address={options.host}",
        f"--http-port={options.http_port}",
        f"--grpc-address={options.host}",
        f"--grpc-port={options.grpc_port}",
        f"--metrics-address={options.host}",
        f"--metrics-port={options.metrics_port}",
    ]


async def serve(
    options: ServerOptions,
    stop: asyncio.Event,
    ready: Callable[[ServerState], None],
    *,
    watch_s: float = 10.0,
) -> None:
    """Run a server until `stop` is set. A model's process that dies is not started again by Triton: the
    server is, then.

    Args:
        options: what it serves, and where.
        stop: ends it.
        ready: called after each start, with the models that are ready and those that are not.
        watch_s: how often the models are asked whether they are alive.

    Raises:
        PluginError: the server's wheel or the models are not there.
        SettingsError: a model is none of the repository's, or a port is taken.
        ExtractorUnavailable: no model could be loaded, or the server ended by itself.
    """
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            async with TritonServer(options) as server:
                working = asyncio.create_task(_work(server, ready, watch_s))
                await asyncio.wait((stopped, working), return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    working.cancel()
                    return
                dead = working.result()
                server.kill()  # it would wait for them
                logger.warning("the process of %s died: starting the server again", ", ".join(dead))
    finally:
        stopped.cancel()


async def _work(server: TritonServer, ready: Callable[[ServerState], None], watch_s: float) -> list[str]:
    """Wait until models die; gives their names."""
    state = await server.ready()
    ready(state)
    serving = [model.name for model in state.models if not model.fault]
    if not serving:
        raise ExtractorUnavailable("no model could be loaded")
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(watch_s):
                await server.ended()
        if dead := await server.dead(serving):
            return dead
