"""`streamproc extract`: look at all pictures of a folder, once, for training."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc.cli.options import file_options, settings_from
from streamproc.counting import counted
from streamproc.errors import SettingsError

if TYPE_CHECKING:
    from streamproc.settings import Settings, Vision
    from streamproc.vision.api import Extractor
    from streamproc.vision.extracting import Extracting


@click.command("extract")
@click.option(
    "--data",
    required=True,
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Pictures are looked for below it.",
)
@click.option(
    "--out",
    required=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where values go; what is there already is not looked at again.",
)
@click.option("--json", "as_json", is_flag=True, help="Totals for scripts.")
@file_options
def command(
    data: Path, out: Path, as_json: bool, config: Path | None, assignments: tuple[str, ...]
) -> None:
    """Look at all pictures of a folder, once, for training.

    Asks the same extractors as a worker with these settings, all that there are; `--set
    vision.modalities=[...]` chooses. A run that was stopped goes on where it was. Exits 1 if a picture
    could not be looked at, after finishing the rest.
    """
    from streamproc.vision.extracting import find_pictures

    settings = settings_from(config, assignments)
    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        raise SettingsError(f"--out {out} lies in --data {data}: name a folder outside of it")
    pictures = find_pictures(data)
    with _progress(len(pictures)) as advance:
        totals = asyncio.run(_extract(settings, data, out, pictures, advance))
    if as_json:
        click.echo(json.dumps(asdict(totals)))
    else:
        click.echo(
            f"{counted(totals.pictures, 'picture')}: {totals.looked_at} looked at, "
            f"{totals.done_before} done before, {totals.failed} failed (see {out}/pictures.jsonl)"
        )
    sys.exit(1 if totals.failed else 0)


async def _extract(
    settings: Settings, data: Path, out: Path, pictures: list[str], advance: Callable[[], None]
) -> Extracting:
    from streamproc.vision.extracting import FolderExtractor
    from streamproc.wiring import make_picture_looker, open_extractors

    vision = settings.vision
    extractors = open_extractors(vision)
    if not extractors:
        there = ", ".join(extractor.modality for extractor in open_extractors(_all(vision)))
        raise SettingsError(f"vision.modalities leaves no extractor: there are {there}")
    looker = make_picture_looker(vision, data)
    try:
        chosen = extractors if vision.modalities is not None else await _those_that_answer(extractors)
        job = FolderExtractor(looker, chosen, data, out, at_once=vision.concurrency)
        await job.run(pictures, advance)
    finally:
        await looker.close()
        for extractor in extractors:
            await extractor.close()
    return job.totals


def _all(vision: Vision) -> Vision:
    return vision.model_copy(update={"modalities": None})


async def _those_that_answer(extractors: list[Extractor]) -> list[Extractor]:
    """Without those that a server does not have; where it has none, all of them, for their error."""
    from streamproc.errors import ExtractorUnavailable

    answering = []
    for extractor in extractors:
        try:
            await extractor.version()
        except ExtractorUnavailable as error:
            click.echo(f"without {extractor.name}: {error}", err=True)
        else:
            answering.append(extractor)
    return answering or extractors


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error; where that is no terminal, a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("looking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    step = max(25, total // 20)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("looking", total=total)
        count = 0

        def advance() -> None:
            nonlocal count
            count += 1
            bar.update(task, advance=1)
            if not console.is_terminal and count % step == 0:
                click.echo(f"{count} of {counted(total, 'picture')}", err=True)

        yield advance
