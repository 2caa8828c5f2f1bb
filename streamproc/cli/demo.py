"""`streamproc demo`: watch sample posts being tagged."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from pathlib import Path

import click

from streamproc.cli.options import settings_from, settings_options
from streamproc.counting import counted


@click.command("demo")
@click.option(
    "--posts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Posts to feed, one JSON object a line; file: pictures lie beside it.  [default: the samples]",
)
@click.option("--follow", is_flag=True, help="Go on after the last post, until Ctrl-C.")
@click.option(
    "--plain", is_flag=True, help="Lines instead of a live table; so is any output to no terminal."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=8.0,
    show_default=True,
    help="Posts a second; 0: at once.",
)
@click.option("--look", default="always", show_default=True, help="always, never or uncertain(T).")
@click.option("--plugin", help="Tag with this plugin or model instead of the default one.")
@settings_options
@click.pass_obj
def command(
    debug: bool,
    posts: Path | None,
    follow: bool,
    plain: bool,
    rate: float,
    look: str,
    plugin: str | None,
    config: Path | None,
    assignments: tuple[str, ...],
    broker: str | None,
) -> None:
    """Feed sample posts with pictures through a real worker, and watch what comes out.

    Without --broker an embedded broker is started for it, and nothing outlives the command.
    """
    from rich.console import Console

    if not math.isfinite(rate):
        raise click.UsageError(f"--rate {rate}: expected posts a second, 0 for all at once")
    from streamproc.cli.tag import with_route
    from streamproc.demo.run import SAMPLES, Options, run_demo

    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR)
    settings = with_route(settings_from(config, assignments, broker), plugin, look)
    console = Console()
    options = Options(
        posts or SAMPLES, broker and settings.kafka.broker, follow, plain or not console.is_terminal, rate
    )
    try:
        unfinished = asyncio.run(run_demo(settings, options, console))
    except KeyboardInterrupt:
        console.print("ended by Ctrl-C")
        sys.exit(130)
    if unfinished:
        raise click.ClickException(f"{counted(unfinished, 'post')} did not come out")
