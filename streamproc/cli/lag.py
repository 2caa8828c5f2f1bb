"""`streamproc lag`: how far the workers are behind."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc.cli.options import settings_from, settings_options

if TYPE_CHECKING:
    from rich.table import Table

    from streamproc.lag import PartitionLag
    from streamproc.settings import Settings


@click.command("lag")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For scripts; with --watch one line each time.")
@click.option("--watch", is_flag=True, help="Print it again and again until Ctrl-C.")
@click.option("--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds.")
def command(
    config: Path | None,
    assignments: tuple[str, ...],
    broker: str | None,
    as_json: bool,
    watch: bool,
    interval: float,
) -> None:
    """Committed offset, end offset and lag of every partition of `posts`."""
    settings = settings_from(config, assignments, broker)
    rows = _probe(settings)
    if as_json:
        _print_json(rows, None if watch else 2)
        while watch:
            time.sleep(interval)
            _print_json(_probe(settings), None)
        return
    if not watch:
        from rich.console import Console

        Console().print(_table(settings, rows))
        return
    from rich.live import Live

    with Live(_table(settings, rows), auto_refresh=False) as live:
        while True:
            time.sleep(interval)
            live.update(_table(settings, _probe(settings)), refresh=True)


def _probe(settings: Settings) -> list[PartitionLag]:
    from streamproc.broker.link import Link
    from streamproc.lag import probe

    return probe(Link.of(settings.kafka), settings.kafka.group, settings.topics.posts)


def _print_json(rows: list[PartitionLag], indent: int | None) -> None:
    total = sum(row.lag for row in rows)
    click.echo(json.dumps({"lag": total, "partitions": [asdict(row) for row in rows]}, indent=indent))


def _table(settings: Settings, rows: list[PartitionLag]) -> Table:
    from rich.table import Table

    table = Table(title=f"group {settings.kafka.group}, topic {settings.topics.posts}", show_footer=True)
    total = sum(row.lag for row in rows)
    for title, footer in (("partition", "all"), ("committed", ""), ("end", ""), ("lag", str(total))):
        table.add_column(title, footer=footer, justify="right")
    if all(row.committed is None for row in rows):
        table.caption = (
            "This group has committed nothing here: it has no worker, or none that got as far as that."
        )
    for row in rows:
        committed = "-" if row.committed is None else str(row.committed)
        table.add_row(str(row.partition), committed, str(row.end), str(row.lag))
    return table
