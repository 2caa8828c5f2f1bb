"""`streamproc tag`: the same pipeline over a file, without a broker."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from streamproc.cli.options import file_options, settings_from
from streamproc.errors import SettingsError

if TYPE_CHECKING:
    from streamproc.feeds.file import FileFeed
    from streamproc.feeds.formats import Format
    from streamproc.local import LocalRecord, OrderedSink
    from streamproc.settings import Settings

CHUNK: Final = 512
"""Lines that enter the pipeline together."""
CHUNK_SECONDS: Final = 0.1
CHUNKS_AT_ONCE: Final = 3


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
@click.option("--plugin", help="Tag with this plugin or model, whatever the routes say.")
@click.option("--look", help="always, never or uncertain(T), whatever the routes say.")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder below which file: pictures are read.",
)
@file_options
def command(
    file: str,
    form: Format,
    output: Path | None,
    plugin: str | None,
    look: str | None,
    pictures: Path | None,
    config: Path | None,
    assignments: tuple[str, ...],
) -> None:
    """Tag the posts of a file, or of standard input; one tagged post a line, in input order.

    A line that cannot be tagged gives an error object in its place, and the command exits 1 after
    finishing the rest.
    """
    from streamproc.feeds.file import FileConfig, FileFeed

    settings = _without_shadows(with_route(settings_from(config, assignments), plugin, look))
    feed = FileFeed(FileConfig(path=file, format=form))
    size = Path(file).stat().st_size if file != "-" and Path(file).is_file() else None
    with _writer(output, file) as stream, _progress(size) as advance:
        failed = asyncio.run(_tag(settings, feed, stream, advance, pictures))
    if failed:
        click.echo(f"{failed} lines could not be tagged: see the error objects in the output", err=True)
        sys.exit(1)


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
    stream: BinaryIO,
    advance: Callable[[int, int], None],
    pictures: Path | None,
) -> int:
    """Tag a feed into a stream; returns how many lines could not be tagged."""
    from streamproc.local import LocalBatch, OrderedSink
    from streamproc.wiring import load_plugins, open_pipeline

    sink = OrderedSink(lambda line: stream.write(line + b"\n"))
    plugins = await asyncio.to_thread(load_plugins, settings)
    room = asyncio.Semaphore(CHUNKS_AT_ONCE)
    async with open_pipeline(settings, sink, plugins, picture_folder=pictures) as pipeline:

        async def process(records: list[LocalRecord], read: int) -> None:
            try:
                await pipeline.process(LocalBatch(records, sink.end))
                stream.flush()
                advance(read, len(records))
            finally:
                room.release()

        async with asyncio.TaskGroup() as tasks:
            async for records, read in _chunks(feed, sink):
                await room.acquire()
                tasks.create_task(process(records, read))
    return sink.failed


async def _chunks(feed: FileFeed, sink: OrderedSink) -> AsyncIterator[tuple[list[LocalRecord], int]]:
    """Lines of the feed by the chunk, with the bytes read; those of a slow pipe do not wait to fill one."""
    from streamproc.feeds.api import BadLine
    from streamproc.feeds.batches import batches
    from streamproc.local import LocalRecord

    async for items in batches(feed, CHUNK, CHUNK_SECONDS):
        records: list[LocalRecord] = []
        for item in items:
            sink.expect(item.line)
            if isinstance(item, BadLine):
                sink.fail(item.line, item.error, "decode")
                sink.end(item.line)
            else:
                value = item.message.model_dump_json(exclude_none=True).encode()
                records.append(LocalRecord(item.line, value, item.visuals or None))
        yield records, sum(len(item.raw) + 1 for item in items)


@contextmanager
def _writer(output: Path | None, source: str) -> Iterator[BinaryIO]:
    """Standard output, or a file that is there whole or not at all.

    Raises:
        SettingsError: it cannot be written, or is the file that is read.
    """
    if output is None:
        if sys.stdout is None:
            raise SettingsError("standard output is closed: give --output FILE")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = output.resolve()
    if source != "-" and target.exists() and Path(source).exists() and target.samefile(source):
        raise SettingsError(f"--output {output} is the file that is read: name another one")
    draft: Path | None = None
    try:
        if target.exists() and not target.is_file():
            stream: BinaryIO = target.open("wb")  # a device or a pipe is written to as it is
        else:
            stream, draft = _draft_beside(target)
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from None
    try:
        with stream:
            yield stream
    except BaseException:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise
    if draft is not None:
        draft.replace(target)


def _draft_beside(target: Path) -> tuple[BinaryIO, Path]:
    """A new file with the permissions that a plain open would give it."""
    number, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    umask = os.umask(0)
    os.umask(umask)
    os.fchmod(number, 0o666 & ~umask)
    return os.fdopen(number, "wb"), Path(name)


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
