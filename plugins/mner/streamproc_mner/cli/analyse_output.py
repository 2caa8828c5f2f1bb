"""What all analyses' commands share: their flags, and telling what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streamproc_mner.cli.measuring_options import data_options as labelled_file_options
from streamproc_mner.cli.measuring_options import device_option, plugin_config, tagging_bar

if TYPE_CHECKING:
    from streamproc.entities import View
    from streamproc_mner.analysis.findings import Findings
    from streamproc_mner.analysis.groups import Group
    from streamproc_mner.analysis.scores import Draws
    from streamproc_mner.analysis.systems import Begin
    from streamproc_mner.evaluation.loading import LoadedModel

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


def telling_options(command: CommandT) -> CommandT:
    """`--json`, `--plot` and `--html`; the command gets them as `as_json`, `plot` and `html`."""
    for option in (
        click.option("--html", type=_NEW_FILE, metavar="REPORT", help="Also a page with table and plot."),
        click.option("--plot", type=_NEW_FILE, metavar="FILE", help="Also the plot, as .png or .svg."),
        click.option("--json", "as_json", is_flag=True, help="For scripts."),
    ):
        command = option(command)
    return command


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--device`, and what names labelled posts: the command gets them as `data`."""
    return labelled_file_options(device_option(command))


models_argument = click.argument("models", nargs=-1, required=True, metavar="MODEL|NAME=MODEL,MODEL,...")

view_option = click.option(
    "--view",
    type=click.Choice(["text", "image+text", "both"]),
    default="both",
    show_default=True,
    help="What models are given; both: where a model reads something that the data have.",
)

training_file_option = click.option(
    "--train",
    "training",
    required=True,
    metavar="FILE",
    type=_EXISTING_FILE,
    help="Posts that the models were trained on, with gold entities.",
)


def one_view(view: str) -> View | None:
    """What `--view` says: one, or all that a model has."""
    return "text" if view == "text" else "image+text" if view == "image+text" else None


@dataclass(frozen=True, slots=True)
class Telling:
    """Where findings go, beside standard output.

    Attributes:
        as_json: standard output is for scripts.
        plot: file for the plot.
        html: file for the page.
        data: the file that is read, which none of them may be.
    """

    as_json: bool
    plot: Path | None
    html: Path | None
    data: Path | None = None

    @classmethod
    def of(cls, flags: Mapping[str, Any]) -> Telling:
        """What `telling_options` and `data_options` say, checked; see `check`."""
        telling = cls(flags["as_json"], flags["plot"], flags["html"], flags["data"].path)
        telling.check()
        return telling

    def check(self) -> None:
        """Say before the work what would fail after it.

        Raises:
            SettingsError: a plot is wanted that cannot be drawn.
        """
        from streamproc_mner.analysis.figure import format_of, needs_matplotlib

        if self.plot is not None:
            format_of(self.plot)
        if self.plot is not None or self.html is not None:
            needs_matplotlib()

    def tell(self, findings: Findings) -> None:
        """Print the table, or JSON, and write the files that were asked for.

        Raises:
            SettingsError: a file cannot be written, or there is nothing to draw.
        """
        if self.plot is not None:
            from streamproc_mner.analysis.figure import drawn, format_of

            self._write("--plot", self.plot, drawn(findings, format_of(self.plot)))
        if self.html is not None:
            from streamproc_mner.analysis.page import page

            self._write("--html", self.html, page(findings))
        if self.as_json:
            click.echo(json.dumps(findings.as_json(), ensure_ascii=False))
            return
        notes = ["", *findings.notes] if findings.notes else []
        for line in (findings.title, "", *_aligned(findings), *notes):
            click.echo(line)

    def _write(self, flag: str, path: Path, content: bytes) -> None:
        from streamproc.cli.whole_file import whole_file

        with whole_file(flag, path, str(self.data or "")) as file:
            file.write(content)


@contextmanager
def tagging(doing: str = "tagging") -> Iterator[Begin]:
    """A bar on standard error while posts are tagged, where that is a terminal."""
    with tagging_bar(doing) as bar:
        yield lambda total: lambda done: bar(done, total)


def draws_of(flags: Mapping[str, Any]) -> Draws:
    """What `draws_options` say."""
    from streamproc_mner.analysis.scores import Draws

    return Draws(flags["resamples"], flags["seed"])


def load_models(names: tuple[str, ...], device: str, assignments: tuple[str, ...]) -> list[LoadedModel]:
    """Models of a command; what whoever runs them is to be told goes to standard error.

    Raises:
        PluginError: one cannot be loaded.
    """
    from streamproc_mner.evaluation.loading import load_model

    config = plugin_config(assignments)
    models = [load_model(name, device, config) for name in names]
    for notice in dict.fromkeys(model.notice for model in models if model.notice):
        click.echo(notice, err=True)
    return models


def load_groups(arguments: tuple[str, ...], device: str, assignments: tuple[str, ...]) -> list[Group]:
    """Models of a command, those under one name together; see `load_models`.

    Raises:
        SettingsError: a name is given twice, or a group has no models.
    """
    from streamproc_mner.analysis.groups import Group, groups_named

    groups = groups_named(arguments)
    names = tuple(dict.fromkeys(name for members in groups.values() for name in members))
    models = dict(zip(names, load_models(names, device, assignments), strict=True))
    return [Group(name, tuple(models[member] for member in members)) for name, members in groups.items()]


def _aligned(findings: Findings) -> Iterator[str]:
    """The table as lines of columns: texts on the left, figures on the right."""
    lines = [list(findings.columns), *findings.as_text()]
    widths = [max(len(line[place]) for line in lines) for place in range(len(findings.columns))]
    for line in lines:
        cells = [
            cell.ljust(width) if findings.is_text(place) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
