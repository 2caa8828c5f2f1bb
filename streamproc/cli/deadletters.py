"""`streamproc deadletters`: what could not be tagged, and sending it round again."""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
import math
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from streamproc.cli.options import settings_from, settings_options

if TYPE_CHECKING:
    from streamproc.deadletters.box import LetterBox, Progress
    from streamproc.deadletters.filters import Filter
    from streamproc.deadletters.outbox import ReplayReport
    from streamproc.deadletters.replaying import Wanted
    from streamproc.deadletters.stored import Place, State, StoredLetter
    from streamproc.settings import Settings

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

STAGES: Final = ("decode", "route", "fuse", "look", "publish")
STATES: Final = ("waiting", "parked", "replayed", "deleted", "copy", "all")


@click.group("deadletters")
def command() -> None:
    """Show what could not be tagged and why, and send it round again."""


def _filter_options(command: CommandT) -> CommandT:
    """Which letters; the command gets `stage`, `error`, `plugin`, `key`, `since` and `until`."""
    for option in (
        click.option("--until", metavar="TIME", help="Failed before: as --since."),
        click.option(
            "--since", metavar="TIME", help="Failed then or later: 2026-03-01T12:00 (UTC), or 2h, 3d ago."
        ),
        click.option("--key", metavar="PLATFORM:ID", help="Letters of this post."),
        click.option("--plugin", metavar="NAME", help="Letters of posts that this plugin failed at."),
        click.option("--error", metavar="CLASS", help="Letters of this error, such as PluginFailed."),
        click.option("--stage", type=click.Choice(STAGES), help="Letters of posts that failed there."),
    ):
        command = option(command)
    return command


def _filter(state: str | None = None, **given: str | None) -> Filter:
    from streamproc.deadletters.filters import Filter, moment
    from streamproc.deadletters.stored import State

    now = time.time()
    since, until = given.pop("since"), given.pop("until")
    return Filter(
        **given,
        since=None if since is None else moment(since, now),
        until=None if until is None else moment(until, now),
        state=None if state in {None, "all"} else State(state),
    )


@command.command("list", short_help="The letters, and how many there are of each error and state.")
@_filter_options
@click.option("--state", type=click.Choice(STATES), default="all", show_default=True)
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Show the newest so many."
)
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(
    state: str,
    limit: int,
    config: Path | None,
    assignments: tuple[str, ...],
    broker: str | None,
    as_json: bool,
    **given: str | None,
) -> None:
    """The letters, the newest last, and how many there are of each error and state."""
    from streamproc.cli.letter_printing import listed, print_table, summary, there_are

    settings, wanted = settings_from(config, assignments, broker), _filter(state, **given)
    counts: Counter[tuple[str, State]] = Counter()
    newest: list[tuple[float, Place, dict[str, Any]]] = []
    found: Counter[tuple[str, State]] = Counter()

    def count(letter: StoredLetter, state: State) -> None:
        found[letter.error or "-", state] += 1
        if not wanted.takes(letter, state):
            return
        counts[letter.error or "-", state] += 1
        entry = (letter.failed_at, letter.place, listed(letter, state))
        if len(newest) < limit:
            heapq.heappush(newest, entry)
        else:
            heapq.heappushpop(newest, entry)

    asyncio.run(_read(settings, count))
    rows = [shown for _, _, shown in sorted(newest, key=lambda entry: entry[:2])]
    if as_json:
        told = [{"error": e, "state": s.value, "letters": n} for (e, s), n in sorted(counts.items())]
        click.echo(json.dumps({"letters": rows, "found": counts.total(), "counts": told}, indent=2))
        return
    if rows:
        print_table(rows)
    click.echo(summary(counts, len(rows)))
    if not rows and found:
        click.echo(there_are(found, given["error"]))


async def _read(settings: Settings, take: Callable[[StoredLetter, State], None]) -> None:
    async with _box(settings) as box:
        async for letter, state in box.letters("reading letters"):
            take(letter, state)


@asynccontextmanager
async def _box(settings: Settings, places: Collection[Place] = ()) -> AsyncIterator[LetterBox]:
    """The letters, to be looked at; `places` as `LetterBox.open` takes them."""
    from streamproc.broker.connecting import require_topics
    from streamproc.broker.link import Link
    from streamproc.deadletters.box import LetterBox
    from streamproc.deadletters.reading import TopicReader

    topic, most = settings.topics.deadletters, settings.deadletters.max_attempts
    await require_topics(settings, [topic])
    with _progress() as progress:
        async with TopicReader(Link.of(settings.kafka)) as reader:
            yield await LetterBox.open(reader, topic, most, progress, places)


@command.command("show", short_help="All of one letter.")
@click.argument("place", metavar="PARTITION:OFFSET")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(
    place: str, config: Path | None, assignments: tuple[str, ...], broker: str | None, as_json: bool
) -> None:
    """All of one letter: why it failed, where it was read, its headers and its body."""
    from streamproc.cli.letter_printing import letter_json, print_letter
    from streamproc.deadletters.stored import Place

    settings = settings_from(config, assignments, broker)
    letter, state = asyncio.run(_one(settings, Place.parse(place)))
    if as_json:
        click.echo(json.dumps(letter_json(letter, state), indent=2))
    else:
        print_letter(letter, state, settings.topics.deadletters)


async def _one(settings: Settings, place: Place) -> tuple[StoredLetter, State]:
    async with _box(settings, [place]) as box:
        return await box.letter(place)


@command.command("replay", short_help="Send the posts of waiting letters round again.")
@click.argument("places", metavar="[PARTITION:OFFSET]...", nargs=-1)
@_filter_options
@click.option("--parked", is_flag=True, help="Also letters that failed more than --max-attempts times.")
@click.option(
    "--max-attempts", type=click.IntRange(1, 1000), help="The same as --set deadletters.max_attempts=..."
)
@click.option("--rate", type=float, metavar="POSTS_PER_SECOND", help="Send no faster.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; send nothing.")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def replay(
    places: tuple[str, ...],
    parked: bool,
    max_attempts: int | None,
    rate: float | None,
    dry_run: bool,
    config: Path | None,
    assignments: tuple[str, ...],
    broker: str | None,
    as_json: bool,
    **given: str | None,
) -> None:
    """Send the posts of waiting letters to `posts` again: all of them, those that the filters take, or
    those that are named.

    What was replayed once is not sent again, whoever replays. A letter whose post was deleted since is
    dropped. Exits 1 if some could not be sent.
    """
    from streamproc.cli.letter_printing import there_are
    from streamproc.cli.replay_printing import commands_to_see, print_report
    from streamproc.deadletters.outbox import ReplayReport
    from streamproc.deadletters.replaying import Wanted
    from streamproc.deadletters.stored import Place
    from streamproc.errors import StreamprocError

    if places and (parked or any(given.values())):
        raise click.UsageError("name letters, or say with filters which ones: not both")
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise click.BadParameter(
            f"{rate} is no rate: expected posts per second, above 0", param_hint="--rate"
        )
    if max_attempts is not None:
        assignments = (*assignments, f"deadletters.max_attempts={max_attempts}")
    settings = settings_from(config, assignments, broker)
    wanted = Wanted(_filter(**given), frozenset(map(Place.parse, places)), parked)
    report = ReplayReport()
    tell = partial(
        print_report,
        report,
        to_see=commands_to_see(places, parked, max_attempts, given),
        dry_run=dry_run,
        as_json=as_json,
    )
    try:
        found = asyncio.run(_replay(settings, wanted, rate, dry_run, report))
    except (StreamprocError, KeyboardInterrupt):
        if report.ended:
            tell()
        raise
    tell()
    if report.interrupted:
        raise click.Abort
    if found and any(given.values()) and not (report.ended or report.parked or as_json):
        click.echo(there_are(found, given["error"]))
    sys.exit(1 if report.not_sent else 0)


async def _replay(
    settings: Settings, wanted: Wanted, rate: float | None, dry_run: bool, report: ReplayReport
) -> Counter[tuple[str, State]]:
    """Replay; returns the letters among which was chosen, by error and state."""
    from streamproc.broker.connecting import require_topics
    from streamproc.broker.link import Link
    from streamproc.deadletters.box import LetterBox
    from streamproc.deadletters.reading import TopicReader
    from streamproc.deadletters.replaying import Replay
    from streamproc.producing import BatchProducer

    topics, link = settings.topics, Link.of(settings.kafka)
    await require_topics(settings, [topics.posts, topics.deadletters])
    with _progress() as progress:
        async with AsyncExitStack() as stack:
            letters = await stack.enter_async_context(TopicReader(link))
            posts = await stack.enter_async_context(TopicReader(link))
            producer = None if dry_run else await stack.enter_async_context(BatchProducer(link))
            most = settings.deadletters.max_attempts
            box = await LetterBox.open(letters, topics.deadletters, most, progress, wanted.places)
            replay = Replay(
                box, posts, topics, producer, report, rate=rate, progress=progress, complain=_complain
            )
            _stop_on_signals(replay.stop)
            await replay.run(wanted)
            return replay.found


def _complain(place: Place, reason: str) -> None:
    from streamproc.cli.letter_printing import printable

    click.echo(f"{place} {printable(reason)}", err=True)


def _stop_on_signals(stop: Callable[[], None]) -> None:
    """The first signal stops between two posts; a second one does not wait for that."""
    loop = asyncio.get_running_loop()

    def stop_once() -> None:
        stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_once)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it has to say comes as an error
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("connecting", total=None)

        def tell(doing: str, done: int, total: int) -> None:
            bar.update(task, description=doing, completed=done, total=total)

        yield tell
