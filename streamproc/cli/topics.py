"""`streamproc topics`: create what is missing, check what is there."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc.cli.options import settings_from, settings_options

if TYPE_CHECKING:
    from streamproc.broker.topics import TopicState


@click.group("topics")
def command() -> None:
    """Create and check the topics."""


@command.command("create")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def create(config: Path | None, assignments: tuple[str, ...], broker: str | None, as_json: bool) -> None:
    """Create the topics that are missing; those that are there stay as they are."""
    from streamproc.broker.topics import create_topics

    _print(create_topics(settings_from(config, assignments, broker)), as_json)


@command.command("check")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def check(config: Path | None, assignments: tuple[str, ...], broker: str | None, as_json: bool) -> None:
    """Compare the topics with the settings; exits 1 if one is missing or too small."""
    from streamproc.broker.topics import check_topics

    states = check_topics(settings_from(config, assignments, broker))
    _print(states, as_json)
    if any(state.fault for state in states):
        sys.exit(1)


def _print(states: list[TopicState], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states], indent=2))
        return
    for state in states:
        partitions = f", {state.partitions} partitions" if state.partitions else ""
        fault = f": {state.fault}" if state.fault else ""
        click.echo(f"{state.topic}: {state.state}{partitions}{fault}")
