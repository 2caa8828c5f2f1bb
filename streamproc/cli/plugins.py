"""`streamproc plugins`: what is installed, whether it keeps the contract, and the start of a new one."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import click


@click.group("plugins")
def command() -> None:
    """List and check the installed plugins, and make new ones."""


@command.command("list", short_help="Show what is installed, and what cannot be loaded and why.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(as_json: bool) -> None:
    """Plugins and trained models, with those that cannot be loaded and why."""
    rows = _plugin_rows() + _model_rows()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        _print_table(rows)


def _plugin_rows() -> list[dict[str, Any]]:
    from streamproc.errors import PluginError
    from streamproc.fusion.discovery import find_plugin, plugin_names

    rows: list[dict[str, Any]] = []
    for name in plugin_names():
        try:
            plugin = find_plugin(name)
        except PluginError as error:
            rows.append({"name": name, "kind": "plugin", "error": str(error)})
        else:
            modalities = {modality: need.value for modality, need in plugin.modalities.items()}
            rows.append(
                {
                    "name": name,
                    "kind": "plugin",
                    "version": plugin.version,
                    "modalities": modalities,
                    "needs_model": plugin.needs_model,
                }
            )
    return rows


def _model_rows() -> list[dict[str, Any]]:
    from streamproc.errors import PluginError
    from streamproc.fusion.discovery import find_model, model_names

    rows: list[dict[str, Any]] = []
    for name in model_names():
        try:
            package = find_model(name)
        except PluginError as error:
            rows.append({"name": name, "kind": "model", "error": str(error)})
        else:
            rows.append(
                {"name": name, "kind": "model", "plugin": package.plugin, "folder": str(package.folder)}
            )
    return rows


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        click.echo("no plugins installed: pip install streamproc-mner-tweets-sm")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("name", "kind", "version", "what it uses"):
        table.add_column(title, overflow="fold")
    for row in rows:
        if "error" in row:
            table.add_row(row["name"], row["kind"], "-", f"[red]{escape(row['error'])}[/red]")
        elif row["kind"] == "model":
            table.add_row(row["name"], "model", "-", f"served by {row['plugin']}")
        else:
            uses = ", ".join(f"{m} ({need})" for m, need in row["modalities"].items()) or "text only"
            table.add_row(row["name"], "plugin", row["version"], uses)
    Console().print(table)


@command.command("check", short_help="Run the contract suite against one of them.")
@click.argument("name", metavar="NAME|FOLDER")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings with [plugins.NAME], and routes that name it.",
)
def check(name: str, as_json: bool, config: str | None) -> None:
    """Run the contract suite against an installed plugin or model, or the model of a folder; exits 1 if it
    fails.
    """
    from streamproc.fusion.discovery import load_plugin
    from streamproc.settings import load_settings
    from streamproc.testing.contract import run_contract

    settings = load_settings(Path(config) if config else None)
    loaded = load_plugin(name, settings.plugins.get(name))
    outcomes = run_contract(loaded)
    if as_json:
        click.echo(
            json.dumps([{"check": o.check, "passed": o.fault is None, "fault": o.fault} for o in outcomes])
        )
    else:
        for outcome in outcomes:
            click.echo(
                f"{'ok  ' if outcome.fault is None else 'FAIL'} {outcome.check}"
                + (f" ({outcome.note})" if outcome.note else "")
            )
            if outcome.fault is not None:
                click.echo(f"     {outcome.fault}")
    loaded.model.close()
    failed = sum(outcome.fault is not None for outcome in outcomes)
    if not as_json:
        click.echo(f"{name}: {len(outcomes) - failed} of {len(outcomes)} checks passed")
    sys.exit(1 if failed else 0)


@command.command("new", short_help="Make the package of a new plugin.")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to make it; by default ./NAME.",
)
@click.option(
    "--modality",
    "modalities",
    multiple=True,
    type=click.Choice(["alt", "captions", "objects", "ocr"]),
    default=("alt", "ocr"),
    show_default=True,
    help="What it reads beside the text; may be given several times.",
)
def new(name: str, folder: Path | None, modalities: tuple[str, ...]) -> None:
    """Make the package of a new plugin: one that works, to be changed into yours.

    NAME is what routes call it: lower case, words joined by hyphens. docs/plugins.md goes through it.
    """
    from streamproc.cli.new_plugin.making import make_plugin

    folder = folder or Path(name)
    files = make_plugin(name, folder, tuple(dict.fromkeys(modalities)))
    click.echo(f"made {folder}: {len(files)} files, a plugin that finds the names of a list. Next:\n")
    for line in _next_steps(name, folder):
        click.echo(f"    {line}")


def _next_steps(name: str, folder: Path) -> list[str]:
    """Four commands that can be copied as they are, also where streamproc is not on the path."""
    bin_folder = Path(sys.executable).parent
    found = shutil.which("streamproc")
    prefix = "" if found and Path(found).parent == bin_folder else f"{shlex.quote(str(bin_folder))}/"
    # pip takes a bare word for the name of a package in the index.
    path = str(folder) if folder.is_absolute() or folder.parts[:1] == ("..",) else f"./{folder}"
    post = '{"platform": "x", "id": "1", "text": "Paris in June"}'
    return [
        f"{prefix}pip install -e {shlex.quote(path + '[test]')}",
        f"{prefix}streamproc plugins check {name}",
        f"{prefix}pytest {shlex.quote(str(folder))}",
        f"echo '{post}' | {prefix}streamproc tag - --plugin {name}",
    ]
