"""`streamproc recipes run`: the papers' tables, trained here."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc.errors import SettingsError
from streamproc_mner.cli.training_options import as_arguments, training_options

if TYPE_CHECKING:
    from streamproc_mner.recipes.recipe import Recipe
    from streamproc_mner.recipes.running import Row


@click.command("run")
@click.argument("names", nargs=-1, metavar="[RECIPE...]")
@click.option("--paper", help="All recipes of one paper: moon2018, yu2020, chen2021, wang2022.")
@training_options
@click.option(
    "--out",
    required=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Gets a folder a run; runs that ended are not done again.",
)
@click.option(
    "--seeds", default="1,2,3", show_default=True, metavar="N,...", help="Each recipe once a seed."
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Runs at a time, on a GPU."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(
    names: tuple[str, ...],
    paper: str | None,
    data: tuple[Path, ...],
    out: Path,
    seeds: str,
    pictures: Path | None,
    encoder: str | None,
    device: str,
    precision: str,
    pretrain_mlm: int | None,
    repair: bool,
    changes: tuple[str, ...],
    threads: int | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Train recipes over a data set, each with several seeds, and print the table.

    Each run is a `streamproc train` of its own; a list that was stopped goes on where it was. Exits 1 if
    a run failed, after finishing the rest.
    """
    from rich.console import Console

    from streamproc_mner.recipes.running import Planned, Result, plan, rows, run_all
    from streamproc_mner.recipes.seeds import seeds_of

    recipes, numbers = _chosen(names, paper), seeds_of(seeds)
    options = as_arguments(data, pictures, device, precision, pretrain_mlm, repair, changes, threads)
    planned: list[Planned] = []
    for recipe in recipes:
        own = [*options, "--encoder", encoder] if encoder and _has_encoder(recipe, encoder) else options
        planned += plan([recipe], numbers, out, own)
    planned.sort(key=lambda one: one.seed)
    console = Console(stderr=True)

    def told(one: Planned, result: Result) -> None:
        said = result.fault or ", ".join(f"{key} {value:.2f}" for key, value in result.scores.items())
        console.print(f"{one.recipe} seed {one.seed}: {said}", markup=False, soft_wrap=True)

    found = list(rows(run_all(planned, jobs, told)))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in found]))
    else:
        _print(found, {recipe.name: recipe for recipe in recipes})
    sys.exit(1 if any(row.faults for row in found) else 0)


def _chosen(names: Sequence[str], paper: str | None) -> list[Recipe]:
    from streamproc_mner.recipes.recipe import PAPERS, all_recipes, find_recipe

    if paper is not None and paper not in PAPERS:
        raise SettingsError(f"--paper {paper}: expected one of {', '.join(PAPERS)}")
    chosen = [find_recipe(name) for name in names]
    chosen += [recipe for recipe in all_recipes() if paper and recipe.name.startswith(f"{paper}/")]
    if not chosen:
        raise SettingsError("name recipes, or a paper with --paper; see `streamproc recipes list`")
    return list({recipe.name: recipe for recipe in chosen}.values())


def _has_encoder(recipe: Recipe, encoder: str) -> bool:
    from streamproc_mner.recipes.changing import wanted_recipe

    try:
        wanted_recipe(recipe.name, encoder=encoder)
    except SettingsError:
        return False
    return True


def _print(found: Sequence[Row], recipes: dict[str, Recipe]) -> None:
    from rich.console import Console
    from rich.table import Table

    keys = list(dict.fromkeys(key for row in found for key in row.scores))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("recipe", no_wrap=True)
    for key in keys:
        table.add_column(key, justify="right")
    table.add_column("published")
    table.add_column("seeds", justify="right")
    for row in found:
        cells = [_cell(row.scores.get(key), row.seeds) for key in keys]
        published = " / ".join(f"{figure.f1:.2f}" for figure in recipes[row.recipe].published.values())
        table.add_row(row.recipe, *cells, published or "-", str(row.seeds))
    console = Console()
    console.print(table)
    console.print(
        "span F1 in percent, mean and standard deviation over seeds; published: on the papers' test splits",
        style="dim",
    )
    for row in found:
        for fault in row.faults:
            console.print(f"{row.recipe}: {fault}", markup=False, soft_wrap=True)


def _cell(score: tuple[float, float] | None, seeds: int) -> str:
    if score is None:
        return "-"
    return f"{score[0]:.2f} ± {score[1]:.2f}" if seeds > 1 else f"{score[0]:.2f}"
