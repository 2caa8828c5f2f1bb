"""`streamproc compare`: models side by side, and whether they differ by more than chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamproc_mner.cli.measuring_options import (
    measuring_options,
    plugin_config,
    report_file,
    tagging_bar,
)

if TYPE_CHECKING:
    from streamproc.entities import View
    from streamproc_mner.data.labelled_file import LabelledFile
    from streamproc_mner.evaluation.comparing import Comparison


@click.command("compare")
@click.argument("models", metavar="A B ...", nargs=-1, required=True)
@click.option("--base", metavar="NAME", help="Compare the others with this one; by default with the first.")
@click.option(
    "--view",
    type=click.Choice(["text", "image+text"]),
    help="Of all models; by default image+text for those that read something that the data have.",
)
@click.option(
    "--show",
    metavar="N",
    default=0,
    type=click.IntRange(min=0),
    help="Show the first N entities that were fixed, and that were broken.",
)
@measuring_options
def command(
    models: tuple[str, ...],
    base: str | None,
    view: View | None,
    show: int,
    data: LabelledFile,
    assignments: tuple[str, ...],
    device: str,
    resamples: int,
    seed: int,
    as_json: bool,
    report: Path | None,
) -> None:
    """Models side by side, and whether they differ by more than chance.

    A and B are models as `evaluate` takes them, or groups of seeds: NAME=FOLDER,FOLDER,... Intervals and
    differences are by bootstrap over posts; McNemar's test is over gold entities, the t-test over seeds.
    """
    from streamproc_mner.evaluation.comparing import compare, contestants
    from streamproc_mner.evaluation.summary import comparison_summary

    chosen, config = contestants(models), plugin_config(assignments)
    with report_file(report, data.path) as page, tagging_bar() as advance:
        comparison = compare(
            chosen,
            data,
            view,
            base=base,
            device=device,
            config=config,
            resamples=resamples,
            seed=seed,
            advance=advance,
        )
        if page is not None:
            from streamproc_mner.evaluation.report.compared import compared_page

            page.write(compared_page(comparison))
    for note in comparison.notes:
        click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps(comparison_summary(comparison, show), indent=2))
    else:
        _print(comparison, show)


def _print(comparison: Comparison, show: int) -> None:
    from rich.console import Console
    from rich.markup import escape

    from streamproc_mner.cli.compare_tables import against_table, runs_table, types_table
    from streamproc_mner.evaluation.examples import examples
    from streamproc_mner.evaluation.wording import compared_line, example_lines

    console = Console()
    console.print(escape(compared_line(comparison)), soft_wrap=True)
    for table in (runs_table(comparison), types_table(comparison), against_table(comparison)):
        console.print()
        console.print(table)
    for against in comparison.against:
        for example in examples(comparison.posts, comparison.base, against, show):
            console.print()
            for line in example_lines(example, comparison.base.name, against.runs.name):
                console.print(escape(line), soft_wrap=True)
