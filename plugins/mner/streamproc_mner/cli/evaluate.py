"""`streamproc evaluate`: how good a model is, type by type, in the views that it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from streamproc_mner.cli.measuring_options import (
    measuring_options,
    plugin_config,
    report_file,
    tagging_bar,
)

if TYPE_CHECKING:
    from streamproc_mner.data.labelled_file import LabelledFile
    from streamproc_mner.evaluation.evaluating import Evaluated


@click.command("evaluate")
@click.argument("model", metavar="MODEL|PLUGIN")
@click.option(
    "--view",
    type=click.Choice(["text", "image+text", "both"]),
    default="both",
    show_default=True,
    help="What the model is given; both: where it reads something that the data have.",
)
@measuring_options
def command(
    model: str,
    view: Literal["text", "image+text", "both"],
    data: LabelledFile,
    assignments: tuple[str, ...],
    device: str,
    resamples: int,
    seed: int,
    as_json: bool,
    report: Path | None,
) -> None:
    """How good a model is: F1, types, borders, calibration, speed.

    MODEL is the folder of a saved model, an installed model, or a plugin that needs no model. An entity
    is right if its borders and its type are. Where the model reads something of pictures that the data
    have, the text view and the image+text view are measured, and their difference with its interval.
    """
    from streamproc_mner.evaluation.evaluating import evaluate
    from streamproc_mner.evaluation.loading import load_model
    from streamproc_mner.evaluation.summary import evaluated_summary

    loaded = load_model(model, device, plugin_config(assignments))
    with report_file(report, data.path) as page, tagging_bar() as advance:
        evaluated = evaluate(
            loaded,
            data,
            None if view == "both" else view,
            resamples=resamples,
            seed=seed,
            advance=advance,
        )
        if page is not None:
            from streamproc_mner.evaluation.report.evaluated import evaluated_page

            page.write(evaluated_page(evaluated))
    for note in evaluated.notes:
        click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps(evaluated_summary(evaluated), indent=2))
    else:
        _print(evaluated)


def _print(evaluated: Evaluated) -> None:
    from rich.console import Console
    from rich.markup import escape

    from streamproc_mner.cli.evaluate_tables import facts_table, scores_table
    from streamproc_mner.evaluation.wording import data_line, difference_line

    console = Console()
    console.print(escape(data_line(evaluated)), soft_wrap=True)
    console.print(scores_table(evaluated))
    console.print(facts_table(evaluated))
    if evaluated.difference is not None:
        console.print(escape(difference_line(evaluated.difference)), soft_wrap=True)
