"""`streamproc ingest SOURCE`: bring posts from a feed into Kafka.

Each installed feed is a command; its options are the fields of its configuration.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamproc.cli.failing import POST_HINT
from streamproc.cli.options import settings_from, settings_options
from streamproc.counting import counted

if TYPE_CHECKING:
    from streamproc.feeds.api import BadLine, Feed
    from streamproc.feeds.checkpoint import Checkpoint
    from streamproc.feeds.ingest import IngestReport
    from streamproc.settings import Settings


class Feeds(click.Group):
    """One command a feed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from streamproc.feeds.discovery import feed_names

        return feed_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from streamproc.feeds.discovery import find_feed

        if cmd_name not in self.list_commands(ctx):
            return None
        return _command_for(find_feed(cmd_name))


@click.group("ingest", cls=Feeds)
def command() -> None:
    """Bring posts from a feed into Kafka."""


def _command_for(feed: type[Feed[Any]]) -> click.Command:
    """A command whose options are the feed's own, and those of every ingest."""

    def callback(**given: Any) -> None:
        own = {name: given.pop(name) for name in feed.Config.model_fields}
        _run(feed.name, {name: value for name, value in own.items() if value is not None}, **given)

    run: Callable[..., None] = settings_options(callback)
    for option in (
        click.option("--limit", type=click.IntRange(min=1), help="Stop after so many posts."),
        click.option(
            "--state",
            type=click.Path(dir_okay=False, path_type=Path),
            hidden=not feed.resumable(),  # given all the same, it is refused with the reason
            help="File that keeps how far the feed was delivered; the next run goes on from there.",
        ),
    ):
        run = option(run)
    lines = (feed.__doc__ or "").strip().splitlines()
    made: click.Command = click.command(feed.name, help=lines[0] if lines else None)(run)
    made.params = [_parameter(feed, name) for name in feed.Config.model_fields] + made.params
    return made


def _parameter(feed: type[Feed[Any]], name: str) -> click.Parameter:
    field = feed.Config.model_fields[name]
    if name == feed.argument:
        return click.Argument([name], required=field.is_required())
    told = field.description or name
    shown = "" if field.is_required() or field.default is None else f"  [default: {field.default}]"
    return click.Option(
        [f"--{name.replace('_', '-')}", name],
        required=field.is_required(),
        type=next((t for t in (int, float) if field.annotation in {t, t | None}), str),
        help=f"{told[:1].upper()}{told[1:]}.{shown}",
    )


def _run(
    name: str,
    options: dict[str, Any],
    limit: int | None,
    state: Path | None,
    config: Path | None,
    assignments: tuple[str, ...],
    broker: str | None,
) -> None:
    from streamproc.feeds.checkpoint import Checkpoint
    from streamproc.feeds.discovery import open_feed

    settings = settings_from(config, assignments, broker)
    feed = open_feed(name, options)
    checkpoint = None
    if state is not None:
        if not feed.resumable():
            raise click.UsageError(
                f"feed {name} cannot go on from where it stood: leave --state out; what is delivered "
                "again has the same keys"
            )
        checkpoint = Checkpoint(state, name)
        cursor = checkpoint.load()
        if cursor is not None:
            feed = feed.resumed(cursor)
    report = asyncio.run(_ingest(feed, settings, limit, checkpoint))
    click.echo(
        f"{counted(report.posts, 'post')} and {counted(report.deletions, 'deletion')} delivered to "
        f"{settings.topics.posts}, {counted(report.bad_lines, 'bad line')}"
    )
    if report.bad_lines:
        click.echo(POST_HINT, err=True)
    sys.exit(1 if report.bad_lines else 0)


async def _ingest(
    feed: Feed[Any], settings: Settings, limit: int | None, checkpoint: Checkpoint | None
) -> IngestReport:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    from streamproc.broker.connecting import require_topics
    from streamproc.broker.link import Link
    from streamproc.feeds.ingest import IngestReport, ingest
    from streamproc.kafka_sink import post_sender
    from streamproc.producing import BatchProducer

    await require_topics(settings, [settings.topics.posts])
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    latest = IngestReport()
    async with BatchProducer(Link.of(settings.kafka)) as producer:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            shown = progress.add_task("waiting for the first post")

            def tell(report: IngestReport) -> None:
                nonlocal latest
                latest = report
                done = f"{counted(report.delivered, 'post')}, {counted(report.bad_lines, 'bad line')}"
                progress.update(shown, description=done)

            def complain(bad: BadLine) -> None:
                console.print(Text(f"line {bad.line}: {bad.error}"), soft_wrap=True)

            running = asyncio.create_task(
                ingest(
                    feed,
                    post_sender(producer, settings.topics.posts),
                    limit=limit,
                    on_progress=tell,
                    on_bad_line=complain,
                    checkpoint=checkpoint,
                )
            )
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, running.cancel)
            try:
                return await running
            except asyncio.CancelledError:
                return latest
