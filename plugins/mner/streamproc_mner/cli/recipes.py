"""`streamproc recipes`: the systems of the papers by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from streamproc_mner.cli.run_recipes import command as run_command

if TYPE_CHECKING:
    from rich.table import Table

    from streamproc_mner.recipes.recipe import Published, Recipe


@click.group("recipes")
def command() -> None:
    """List, show and run the recipes: every system of the five papers, as data over a plugin's settings."""


command.add_command(run_command)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--paper", help="Only those of one paper: moon2018, yu2020, chen2021, wang2022.")
@click.option("--plugin", help="Only those of one plugin.")
def list_(as_json: bool, paper: str | None, plugin: str | None) -> None:
    """Every recipe with its plugin, what it uses of the pictures, and the published figures."""
    from streamproc_mner.recipes.recipe import all_recipes

    chosen = [
        recipe
        for recipe in all_recipes()
        if (paper is None or recipe.name.startswith(f"{paper}/"))
        and (plugin is None or recipe.plugin == plugin)
    ]
    if not chosen:
        known = sorted({recipe.plugin for recipe in all_recipes()})
        raise click.UsageError(f"no recipe fits; plugins are {', '.join(known)}")
    if as_json:
        click.echo(json.dumps([recipe.model_dump(mode="json", exclude_none=True) for recipe in chosen]))
    else:
        _print_table(chosen)


def _print_table(recipes: list[Recipe]) -> None:
    """A table a paper; what a system is needs more than the usual 80 columns."""
    from rich.console import Console

    console = Console()
    for paper in dict.fromkeys(recipe.paper for recipe in recipes):
        console.print(_table([recipe for recipe in recipes if recipe.paper == paper], console.width >= 130))
        console.print()
    if any(figure.told() != f"{figure.f1:.2f}" for r in recipes for figure in r.published.values()):
        click.echo(
            "F1 in percent on the test split. T: the same model without pictures; segments: spans without "
            "types; dev: on the development split; best: of the runs of which the other is the mean."
        )
    click.echo(f"{len(recipes)} recipes; `streamproc recipes show NAME` prints all settings of one")


def _table(recipes: list[Recipe], wide: bool) -> Table:
    from rich.table import Table

    data_sets = list(dict.fromkeys(name for recipe in recipes for name in recipe.published))
    table = Table(
        title=f"{recipes[0].paper}: published F1 on {' / '.join(data_sets)}",
        title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim",
    )  # fmt: skip
    table.add_column("recipe", no_wrap=True)
    table.add_column("plugin", no_wrap=True)
    table.add_column("pictures")
    table.add_column("published F1")
    if wide:
        table.add_column("what it is", style="dim")
    decimals = 1 if all(_short(figure) for recipe in recipes for figure in recipe.published.values()) else 2
    for recipe in recipes:
        known = {name: figure.told(decimals) for name, figure in recipe.published.items()}
        figures = " / ".join(known.get(name, "-") for name in data_sets)
        row = [recipe.name, recipe.plugin, ", ".join(recipe.modalities) or "-", figures]
        table.add_row(*row, *([recipe.about] if wide else []))
    return table


def _short(figure: Published) -> bool:
    """Whether a paper prints one decimal."""
    return round(figure.f1, 1) == figure.f1


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(name: str, as_json: bool) -> None:
    """All settings of a recipe, as TOML: the network's with their defaults, training, figures.

    NAME may leave out the paper where the rest is unique: umt-bert-crf.
    """
    import tomli_w

    from streamproc_mner.recipes.recipe import find_recipe

    recipe = find_recipe(name)
    config = _config(recipe)
    if as_json:
        click.echo(json.dumps(config, indent=2))
        return
    click.echo(f"# {recipe.paper}: {recipe.about}.")
    click.echo(tomli_w.dumps(config).rstrip())


def _config(recipe: Recipe) -> dict[str, Any]:
    """The recipe with every setting of its plugin's network."""
    from streamproc_mner.recipes.building import network_settings

    settings = network_settings(recipe).model_dump(mode="json", exclude_none=True)
    return {**recipe.model_dump(mode="json", exclude_none=True), "network": settings}
