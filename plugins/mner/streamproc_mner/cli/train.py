"""`streamproc train`: a model from a recipe and labelled posts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc.cli.interrupting import sigterm_as_interrupt
from streamproc.errors import SettingsError
from streamproc_mner.cli.training_options import training_options

if TYPE_CHECKING:
    from streamproc_mner.training.outcome import Trained


def _checked_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    if name is not None and not re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", name):
        raise click.BadParameter("expected up to 100 letters, digits, dots, hyphens and slashes")
    return name


@click.command("train")
@click.argument("recipe")
@training_options
@click.option(
    "--out",
    required=True,
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="The run's folder; the model comes into its folder `model`. A run that was stopped goes on.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    metavar="MODEL",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A trained model whose probabilities are learnt, too (distillation); may be given several times.",
)
@click.option("--seed", type=click.IntRange(0, 2**31), default=13, show_default=True)
@click.option("--name", callback=_checked_name, help="Of the model; by default the recipe's.")
@click.option("--again", is_flag=True, help="Start over where --out holds a run.")
@click.option("--json", "as_json", is_flag=True, help="The result for scripts.")
def command(
    recipe: str,
    data: tuple[Path, ...],
    out: Path,
    teachers: tuple[Path, ...],
    pictures: Path | None,
    encoder: str | None,
    seed: int,
    device: str,
    precision: str,
    pretrain_mlm: int | None,
    changes: tuple[str, ...],
    repair: bool,
    name: str | None,
    threads: int | None,
    again: bool,
    as_json: bool,
) -> None:
    """Train a recipe on labelled posts.

    RECIPE is a name of `streamproc recipes list`, or a TOML file as `streamproc recipes show` prints it.
    What is kept is the epoch that is best on the dev posts. Ctrl-C keeps the best so far as a model; the
    same command goes on from the last whole epoch, and comes to the same result as an unbroken run.
    """
    from streamproc_mner.recipes.changing import wanted_recipe

    if pretrain_mlm is not None:
        changes = (*changes, f"training.mlm_epochs={pretrain_mlm}")
    wanted = wanted_recipe(recipe, changes, encoder)
    with _needs_torch():
        import torch

        from streamproc_mner.training.claim import Wanted, locked, start_over
        from streamproc_mner.training.run import Run
    if threads is not None:
        torch.set_num_threads(threads)
    asked = Wanted(
        wanted, data, out, seed, device, precision, pictures, name or wanted.name, repair, teachers
    )
    with sigterm_as_interrupt(), locked(out):
        if again:
            start_over(out)
        try:
            trained = Run(asked, lambda line: click.echo(line, err=True)).train()
        except KeyboardInterrupt:
            click.echo("stopped before the end of the first epoch: nothing is kept", err=True)
            sys.exit(130)
    if as_json:
        click.echo(json.dumps(trained.as_json()))
    else:
        _print(trained)
    sys.exit(130 if trained.stopped else 0)


def _print(trained: Trained) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("span F1 in percent")
    table.add_column("dev", justify="right")
    table.add_column("reported", justify="right")
    for key, value in trained.dev.items():
        if "/" in key:
            table.add_row(key, f"{value:.2f}", "")
    for key, value in trained.reported.items():
        table.add_row(key, "", f"{value:.2f}")
    console = Console()
    console.print(table)
    if trained.stopped:
        console.print(f"stopped after epoch {trained.epochs}; the same command goes on from there")
    console.print(f"{trained.model}: {trained.chosen}, dev F1 {trained.dev['dev_f1']:.2f}", soft_wrap=True)


@contextmanager
def _needs_torch() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise SettingsError(f"training needs {error.name}: pip install 'streamproc-mner[train]'") from error
