"""`streamproc plugins`: what is installed, and whether it keeps the contract."""

from __future__ import annotations

import json
import sys
from typing import Any

import click


@click.group("plugins")
def command() -> None:
    """List and check the installed plugins."""


@command.command("list")
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
    from rich.table import Table

    if not rows:
        click.echo("no plugins installed: pip install streamproc-mner-tweets-sm")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("name", "kind", "version", "what it uses"):
        table.add_column(title, overflow="fold")
    for row in rows:
        if "error" in row:
            table.add_row(row["name"], row["kind"], "-", f"[red]{row['error']}[/red]")
        elif row["kind"] == "model":
            table.add_row(row["name"], "model", "-", f"served by {row['plugin']}")
        else:
            uses = ", ".join(f"{m} ({need})" for m, need in row["modalities"].items()) or "text only"
            table.add_row(row["name"], "plugin", row["version"], uses)
    Console().print(table)


@command.command("check")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings with [plugins.NAME].",
)
def check(name: str, as_json: bool, config: str | None) -> None:
    """Run the contract suite against an installed plugin or model; exits 1 if it fails."""
    from pathlib import Path

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
