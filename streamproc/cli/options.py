"""Flags that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from streamproc.settings import Settings, load_settings

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def settings_options(command: CommandT) -> CommandT:
    """`file_options` and `--broker`; the command gets them as `config`, `assignments`, `broker`."""
    broker = click.option("--broker", metavar="HOST:PORT", help="Kafka; the same as --set kafka.broker=...")
    return file_options(broker(command))


def file_options(command: CommandT) -> CommandT:
    """`--config` and `--set`; the command gets them as `config` and `assignments`."""
    for option in (
        click.option(
            "--set",
            "assignments",
            metavar="SECTION.KEY=VALUE",
            multiple=True,
            help="One setting; may be given several times.",
        ),
        click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Settings in TOML; by default what STREAMPROC_CONFIG names.",
        ),
    ):
        command = option(command)
    return command


def settings_from(config: Path | None, assignments: tuple[str, ...], broker: str | None = None) -> Settings:
    """The settings that the flags of `settings_options` describe.

    Raises:
        SettingsError: something in them cannot be used.
    """
    extra = [f"kafka.broker={broker}"] if broker else []
    return load_settings(config, assignments=[*assignments, *extra])
