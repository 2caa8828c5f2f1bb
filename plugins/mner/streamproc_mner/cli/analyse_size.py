"""`streamproc analyse size`: how good recipes are with few training posts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from streamproc.errors import SettingsError
from streamproc_mner.cli.analyse_output import (
    Telling,
    draws_of,
    one_view,
    telling_options,
    view_option,
)
from streamproc_mner.cli.measuring_options import draws_options
from streamproc_mner.cli.training_options import as_arguments, training_options


@click.command(
    "size", short_help="F1 by the number of training posts (Chen et al. 2021, figure 3); trains."
)
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@training_options
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="A folder for each run comes into it; runs that are there are not run again.",
)
@click.option(
    "--report",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Posts to measure on; by default valid.jsonl (or .txt, .conll) of the one --data.",
)
@click.option("--shares", default="0.25,0.5,0.75,1", show_default=True, help="Of the training posts.")
@click.option(
    "--seeds", default="13,14,15", show_default=True, help="One run for each, of each recipe and share."
)
@view_option
@draws_options
@telling_options
def command(
    recipes: tuple[str, ...],
    data: tuple[Path, ...],
    out: Path,
    report: Path | None,
    pictures: Path | None,
    encoder: str | None,
    device: str,
    precision: str,
    pretrain_mlm: int | None,
    repair: bool,
    changes: tuple[str, ...],
    threads: int | None,
    shares: str,
    seeds: str,
    view: str,
    as_json: bool,
    plot: Path | None,
    html: Path | None,
    **flags: Any,
) -> None:
    """F1 by the size of the training set (Chen et al. 2021, figure 3): trains each RECIPE on shares of
    the posts, with several seeds, and measures each model.

    Stopped and started again it goes on where it was. Models are measured on --device, by default on the
    CPU.
    """
    from streamproc_mner.analysis.size import by_size, shares_of
    from streamproc_mner.analysis.training_runs import Curve
    from streamproc_mner.data.labelled_file import LabelledFile
    from streamproc_mner.recipes.seeds import seeds_of
    from streamproc_mner.recipes.train_process import train_in_a_process

    options = as_arguments((), pictures, device, precision, pretrain_mlm, repair, changes, threads)
    options += ["--encoder", encoder] if encoder else []
    measured = report or _valid(data)
    telling = Telling(as_json, plot, html, measured)
    telling.check()
    curve = Curve(
        recipes, data, out, shares_of(shares), seeds_of(seeds), tuple(options),
        LabelledFile(measured, pictures, repair=repair), "cpu" if device == "auto" else device,
    )  # fmt: skip
    chosen, draws = one_view(view), draws_of(flags)
    found = by_size(curve, chosen, draws, train_in_a_process, lambda line: click.echo(line, err=True))
    telling.tell(found)


def _valid(folders: Sequence[Path]) -> Path:
    """The posts to measure on where none are named."""
    from streamproc_mner.data.split_files import split_files

    if len(folders) > 1:
        raise SettingsError(f"--data is given {len(folders)} times: name posts to measure on with --report")
    (folder,) = folders
    found = split_files(folder).get("valid")
    if found is None:
        raise SettingsError(
            f"--data {folder}: no valid.jsonl, .txt or .conll in it: name posts with --report"
        )
    return found
