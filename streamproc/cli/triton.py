"""`streamproc triton serve`: run a Triton server here, with the extractors as its models."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamproc.cli.options import file_options, settings_from
from streamproc.errors import SettingsError

if TYPE_CHECKING:
    from streamproc.settings import EngineSettings
    from streamproc.triton.server import ServerOptions
    from streamproc.vision.triton import ServerState

_Port = click.IntRange(1, 65535)


@click.group("triton")
def command() -> None:
    """Run a Triton server that looks at pictures."""


@command.command("serve")
@file_options
@click.option("--models", metavar="NAME,...", help="By default those whose engines are installed.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--grpc-port", type=_Port, default=8001, show_default=True, help="Where workers ask.")
@click.option("--http-port", type=_Port, default=8000, show_default=True)
@click.option("--metrics-port", type=_Port, default=8002, show_default=True)
@click.option("--verbose", is_flag=True, help="Show all of the server's log.")
def serve(
    config: Path | None,
    assignments: tuple[str, ...],
    models: str | None,
    host: str,
    grpc_port: int,
    http_port: int,
    metrics_port: int,
    verbose: bool,
) -> None:
    """Serve extractors to workers: vision.extractors = triton://HOST:PORT.

    For tests and small machines: tritonserver 2.51 from the nvidia-pytriton wheel. How a model looks is
    set as for workers: --set vision.engines.NAME.KEY=VALUE. A model without its weights is not served,
    the others are. Ctrl-C or SIGTERM ends it.
    """
    from streamproc.triton.server import ServerOptions

    settings = settings_from(config, assignments)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING, format="%(levelname)s %(message)s"
    )
    for noisy in ("asyncio", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    options = ServerOptions(
        models=_chosen(models),
        host=host,
        grpc_port=grpc_port,
        http_port=http_port,
        metrics_port=metrics_port,
        parameters=_parameters(settings.vision.engines),
    )
    asyncio.run(_run(options))


async def _run(options: ServerOptions) -> None:
    from streamproc.triton.server import serve as run_server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if len({options.grpc_port, options.http_port, options.metrics_port}) < 3:
        raise SettingsError("--grpc-port, --http-port and --metrics-port have to be three ports")
    click.echo(f"starting tritonserver with {', '.join(map(str, options.models))}")
    await run_server(options, stop, lambda state: _print(state, options))
    click.echo("stopped")


def _chosen(models: str | None) -> list[str]:
    """The models that were named, or all of the repository whose engines are installed."""
    if models is not None:
        chosen = list(dict.fromkeys(name.strip() for name in models.split(",") if name.strip()))
        if not chosen:
            raise SettingsError(
                "--models names none: expected ocr, captions and so on, with commas between"
            )
        return chosen
    from streamproc.triton.installation import find_repository
    from streamproc.vision.engines import engine_names

    there = {path.name for path in find_repository().iterdir()}
    return [name for name in engine_names() if name in there]


def _parameters(engines: dict[str, EngineSettings]) -> dict[str, str]:
    """The settings of engines, as the variables that models read."""
    from streamproc.triton.parameters import ENVIRONMENT_PREFIX, as_text

    variables = {}
    for name, engine in engines.items():
        given: dict[str, Any] = engine.config
        if "device" in engine.model_fields_set:
            given["device"] = engine.device
        for key, value in given.items():
            variables[f"{ENVIRONMENT_PREFIX}{name}__{key}".upper()] = as_text(value)
    return variables


def _print(state: ServerState, options: ServerOptions) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("model", "", "version, or why not"):
        table.add_column(title, overflow="fold")
    for model in state.models:
        ready = "[red]failed[/red]" if model.fault else "[green]READY[/green]"
        table.add_row(model.name, ready, escape(model.fault or model.version or ""))
    console = Console()
    console.print(table)
    where = f"vision.extractors = {options.url}, metrics on port {options.metrics_port}"
    console.print(f"{state.server}: {where}", soft_wrap=True)
