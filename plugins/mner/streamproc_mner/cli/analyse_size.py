"""`streamproc analyse size`: how good recipes are with few training posts."""

from __future__ import annotations

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

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    "size", short_help="F1 by the number of training posts (Chen et al. 2021, figure 3); trains."
)
@click.argument("recipes", nargs=-1, required=True, metavar="RECIPE...")
@click.option(
    "--data",
    required=True,
    type=_FOLDER,
    metavar="FOLDER",
    help="With train.jsonl (or .txt, .conll), and maybe dev, as for `streamproc train`.",
)
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
    help="Posts to measure on; by default valid.jsonl (or .txt, .conll) of --data.",
)
@click.option("--pictures", type=_FOLDER, metavar="SEEN", help="The --out of `streamproc extract`.")
@click.option("--repair", is_flag=True, help="See `streamproc train`.")
@click.option("--shares", default="0.25,0.5,0.75,1", show_default=True, help="Of the training posts.")
@click.option("--seeds", default="13,14,15", show_default=True, help="One run for each.")
@click.option("--encoder", metavar="NAME", help="In the place of the recipes': a name or a folder.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipes: training.epochs=3."
)
@view_option
@draws_options
@telling_options
def command(
    recipes: tuple[str, ...],
    data: Path,
    out: Path,
    report: Path | None,
    pictures: Path | None,
    repair: bool,
    shares: str,
    seeds: str,
    encoder: str | None,
    device: str,
    changes: tuple[str, ...],
    view: str,
    as_json: bool,
    plot: Path | None,
    html: Path | None,
    **flags: Any,
) -> None:
    """F1 by the size of the training set (Chen et al. 2021, figure 3): trains each RECIPE on shares of
    the posts, with several seeds, and measures each model.

    Stopped and started again it goes on where it was.
    """
    from streamproc_mner.analysis.size import by_size, seeds_of, shares_of
    from streamproc_mner.analysis.training_runs import Curve, train_in_a_process
    from streamproc_mner.data.labelled_file import LabelledFile
    from streamproc_mner.data.split_files import split_files

    options = [part for change in changes for part in ("--set", change)]
    options += ["--device", device]
    options += ["--encoder", encoder] if encoder else []
    options += ["--pictures", str(pictures)] if pictures else []
    options += ["--repair"] if repair else []
    measured = report or split_files(data).get("valid")
    if measured is None:
        raise SettingsError(
            f"--data {data}: no valid.jsonl, .txt or .conll in it: name posts with --report"
        )
    telling = Telling(as_json, plot, html, measured)
    telling.check()
    curve = Curve(
        recipes, data, out, shares_of(shares), seeds_of(seeds), tuple(options),
        LabelledFile(measured, pictures, repair=repair), device,
    )  # fmt: skip
    chosen, draws = one_view(view), draws_of(flags)
    found = by_size(curve, chosen, draws, train_in_a_process, lambda line: click.echo(line, err=True))
    telling.tell(found)
