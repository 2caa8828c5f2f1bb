"""What `evaluate` and `compare` share: their flags, what these mean, and the bar while models tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO

import click

from streamproc.cli.whole_file import whole_file
from streamproc.errors import SettingsError

repair_option = click.option(
    "--repair", is_flag=True, help="Let an I- tag that continues nothing begin an entity."
)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data`, `--pictures` and `--repair`; the command gets them as one `LabelledFile`, `data`."""

    @wraps(command)
    def with_data(*, data: Path, pictures: Path | None, repair: bool, **others: Any) -> Any:
        from streamproc_mner.data.labelled_file import LabelledFile

        return command(data=LabelledFile(data, pictures, repair=repair), **others)

    found: Callable[..., Any] = with_data
    for option in (
        repair_option,
        click.option(
            "--pictures",
            metavar="SEEN",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="The --out of `streamproc extract`: what was seen in the posts' pictures.",
        ),
        click.option(
            "--data",
            required=True,
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Posts with gold entities: .jsonl, else CoNLL.",
        ),
    ):
        found = option(found)
    return found


device_option = click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")

set_option = click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="Of the plugins' config, such as handles=true; may be given several times.",
)


def draws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--resamples` and `--seed`."""
    for option in (
        click.option(
            "--seed",
            default=0,
            type=click.IntRange(0),
            show_default=True,
            help="Of all that is drawn by chance.",
        ),
        click.option(
            "--resamples",
            default=2000,
            show_default=True,
            type=click.IntRange(100, 1_000_000),
            help="How often the bootstrap draws all posts anew.",
        ),
    ):
        command = option(command)
    return command


def measuring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--set`, `--device`, `--resamples`, `--seed`, `--json`, `--html`, and those of `data_options`."""
    for option in (
        click.option(
            "--html",
            "report",
            metavar="REPORT",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Also write a page with tables, figures and examples.",
        ),
        click.option("--json", "as_json", is_flag=True, help="For scripts."),
        draws_options,
        device_option,
        set_option,
    ):
        command = option(command)
    return data_options(command)


def plugin_config(assignments: Sequence[str]) -> dict[str, Any]:
    """What `--set` says of the plugin's config; lists and tables are written as in TOML.

    Raises:
        SettingsError: one has no value, or is not TOML.
    """
    from streamproc.settings import load_settings

    for assignment in assignments:
        if not assignment.partition("=")[1] or assignment.startswith(("=", ".")):
            raise SettingsError(f"--set {assignment}: expected KEY=VALUE of the plugin's config")
    settings = load_settings(None, {}, [f"plugins.it.config.{assignment}" for assignment in assignments])
    return settings.plugins["it"].config if "it" in settings.plugins else {}


@contextmanager
def report_file(path: Path | None, data: Path) -> Iterator[BinaryIO | None]:
    """What `--html` names, before the work begins; it takes its place when all of it is written.

    Raises:
        SettingsError: it cannot be written, or is the file that is read.
    """
    if path is None:
        yield None
        return
    with whole_file("--html", path, str(data)) as file:
        yield file


@contextmanager
def tagging_bar(doing: str = "tagging") -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where that is a terminal: give it posts done since, and all of them."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, advance=done, total=total)
