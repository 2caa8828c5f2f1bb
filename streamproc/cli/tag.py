"""`streamproc tag`: the same pipeline over a file, without a broker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from streamproc.cli.failing import POST_HINT
from streamproc.cli.interrupting import sigterm_as_interrupt
from streamproc.cli.options import file_options, settings_from
from streamproc.cli.whole_file import whole_file
from streamproc.counting import counted
from streamproc.errors import SettingsError

if TYPE_CHECKING:
    from streamproc.explain.page import ExplainPage
    from streamproc.feeds.file import FileFeed
    from streamproc.feeds.formats import Format
    from streamproc.local import LocalRecord, OrderedSink
    from streamproc.output import Output
    from streamproc.settings import Settings

CHUNK: Final = 512
"""Lines that enter the pipeline together."""
CHUNK_SECONDS: Final = 0.1
CHUNKS_AT_ONCE: Final = 3
EXPLAIN_LIMIT: Final = 200


@click.command("tag")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "post", "conll", "tokens"]),
    default="auto",
    show_default=True,
    help="post: one Post a line; tokens: {id, tokens, captions} a line; conll: columns.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="By default standard output."
)
@click.option(
    "--plugin",
    metavar="PLUGIN|MODEL|FOLDER",
    help="Tag with this plugin, installed model or saved model's folder, whatever the routes say.",
)
@click.option("--look", help="always, never or uncertain(T), whatever the routes say.")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder below which file: pictures are read.",
)
@click.option(
    "--explain",
    metavar="PAGE.html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a page that shows how the model came to its tags.",
)
@click.option(
    "--explain-limit",
    metavar="N",
    type=click.IntRange(min=1),
    help=f"Show the first N posts on that page; by default {EXPLAIN_LIMIT}.",
)
@file_options
def command(
    file: str,
    form: Format,
    output: Path | None,
    plugin: str | None,
    look: str | None,
    pictures: Path | None,
    explain: Path | None,
    explain_limit: int | None,
    config: Path | None,
    assignments: tuple[str, ...],
) -> None:
    """Tag the posts of a file, or of standard input; one tagged post a line, in input order.

    A line that cannot be tagged gives an error object in its place, and the command exits 1 after
    finishing the rest.
    """
    from streamproc.feeds.file import FileConfig, FileFeed
    from streamproc.local import OrderedSink

    if explain is None and explain_limit is not None:
        raise click.UsageError(
            "--explain-limit is of a page that nobody asked for: give --explain FILE too"
        )
    if explain is not None and output is not None and explain.resolve() == output.resolve():
        raise click.UsageError(f"--explain and --output both name {output}: name two files")
    settings = _without_shadows(with_route(settings_from(config, assignments), plugin, look))
    feed = FileFeed(FileConfig(path=file, format=form))
    size = Path(file).stat().st_size if file != "-" and Path(file).is_file() else None
    with _output(output, file) as stream, _page(explain, file) as page, _progress(size) as advance:
        explained = 0 if page is None else explain_limit or EXPLAIN_LIMIT
        unseen = _Unseen()
        watchers = [unseen.add] if page is None else [unseen.add, page.add]
        sink = OrderedSink(
            lambda line: stream.write(line + b"\n"), lambda output: [watch(output) for watch in watchers]
        )
        with sigterm_as_interrupt():
            asyncio.run(_tag(settings, feed, sink, stream.flush, advance, pictures, explained))
        if page is not None:
            page.finish(sink.failed)
    if unseen.posts:
        posts = counted(unseen.posts, "post")
        click.echo(f"{posts} with pictures that could not be seen: {unseen.reason}", err=True)
    if sink.failed:
        lines, objects = counted(sink.failed, "line"), "object" if sink.failed == 1 else "objects"
        click.echo(f"{lines} could not be tagged: see the error {objects} in the output", err=True)
        if sink.malformed:
            click.echo(POST_HINT, err=True)
        sys.exit(1)


class _Unseen:
    """Counts posts of whose pictures something was unavailable, and keeps the first reason."""

    def __init__(self) -> None:
        self.posts = 0
        self.reason = ""

    def add(self, output: Output) -> None:
        """One tagged post."""
        uses = output.tagged.visuals.values()
        reasons = [use.reason or "" for use in uses if use.status == "unavailable"]
        if reasons:
            self.posts += 1
            self.reason = self.reason or reasons[0]


def _without_shadows(settings: Settings) -> Settings:
    """One tagged post a line: shadows are for comparing in a stream."""
    routes = tuple(route.model_copy(update={"shadow": ()}) for route in settings.routes)
    return settings.model_copy(update={"routes": routes})


def with_route(settings: Settings, plugin: str | None, look: str | None) -> Settings:
    """The settings with a plugin and a look that a flag names, for every post.

    Raises:
        SettingsError: the look is none.
    """
    from streamproc.routing import Route, parse_look

    routes = settings.routes if plugin is None else (Route(primary=plugin),)
    if look is not None:
        try:
            wanted = parse_look(look)
        except ValueError as error:
            raise SettingsError(f"--look: {error}") from None
        routes = tuple(route.model_copy(update={"look": wanted}) for route in routes)
    return settings.model_copy(update={"routes": routes})


async def _tag(
    settings: Settings,
    feed: FileFeed,
    sink: OrderedSink,
    flush: Callable[[], None],
    advance: Callable[[int, int], None],
    pictures: Path | None,
    explained: int,
) -> None:
    """Tag a feed into a sink; the first `explained` posts are to be explained."""
    from streamproc.local import LocalBatch
    from streamproc.wiring import open_pipeline, open_taggers

    room = asyncio.Semaphore(CHUNKS_AT_ONCE)
    async with (
        open_taggers(settings) as taggers,
        open_pipeline(settings, sink, taggers, picture_folder=pictures) as pipeline,
    ):

        async def process(records: list[LocalRecord], read: int) -> None:
            try:
                await pipeline.process(LocalBatch(records, sink.end))
                flush()
                advance(read, len(records))
            finally:
                room.release()

        async with asyncio.TaskGroup() as tasks:
            async for records, read in _chunks(feed, sink, explained):
                await room.acquire()
                tasks.create_task(process(records, read))


async def _chunks(
    feed: FileFeed, sink: OrderedSink, explained: int
) -> AsyncIterator[tuple[list[LocalRecord], int]]:
    """Lines of the feed by the chunk, with the bytes read; those of a slow pipe do not wait to fill one."""
    from streamproc.feeds.api import BadLine
    from streamproc.feeds.batches import batches
    from streamproc.local import LocalRecord
    from streamproc.posts import Post, to_json

    async for items in batches(feed, CHUNK, CHUNK_SECONDS):
        records: list[LocalRecord] = []
        for item in items:
            sink.expect(item.line)
            if isinstance(item, BadLine):
                sink.fail(item.line, item.error, "decode")
                sink.end(item.line)
            else:
                value = to_json(item.message)
                explain = explained > 0 and isinstance(item.message, Post)
                explained -= explain
                records.append(LocalRecord(item.line, value, item.visuals or None, explain))
        yield records, sum(len(item.raw) + 1 for item in items)


@contextmanager
def _output(path: Path | None, source: str) -> Iterator[BinaryIO]:
    """A file, or standard output.

    Raises:
        SettingsError: it cannot be written.
    """
    if path is not None:
        with whole_file("--output", path, source) as stream:
            yield stream
        return
    if sys.stdout is None:
        raise SettingsError("standard output is closed: give --output FILE")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def _page(path: Path | None, source: str) -> Iterator[ExplainPage | None]:
    """The page that was asked for.

    Raises:
        SettingsError: it cannot be written.
    """
    if path is None:
        yield None
        return
    from streamproc.explain.page import ExplainPage

    with whole_file("--explain", path, source) as stream:
        yield ExplainPage(stream.write, "standard input" if source == "-" else Path(source).name)


@contextmanager
def _progress(size: int | None) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where that is a terminal; bytes of the file where its size is known."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("tagging"), BarColumn(), TextColumn("{task.fields[posts]} posts"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("tagging", total=size, posts=0)
        posts = 0

        def advance(read: int, count: int) -> None:
            nonlocal posts
            posts += count
            bar.update(task, advance=read, posts=posts)

        yield advance
