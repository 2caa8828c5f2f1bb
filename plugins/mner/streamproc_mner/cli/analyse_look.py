"""`streamproc analyse look`: when a look at a picture is worth it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamproc.errors import SettingsError
from streamproc_mner.cli.analyse_output import (
    Telling,
    data_options,
    draws_of,
    load_models,
    tagging,
    telling_options,
)
from streamproc_mner.cli.measuring_options import draws_options, set_option

if TYPE_CHECKING:
    from streamproc_mner.analysis.look import ChosenBy
    from streamproc_mner.analysis.watched import Watched
    from streamproc_mner.data.labelled_file import LabelledFile
    from streamproc_mner.evaluation.loading import LoadedModel


@click.command("look", short_help="F1 and cost against the share of pictures looked at.")
@click.argument("model")
@data_options
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Other posts with gold entities, to report the threshold on.",
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="T", help="Take this one instead of choosing."
)
@click.option(
    "--budget",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Choose by cost: look at most at this share of the pictures, whatever it gains.",
)
@click.option("--store", is_flag=True, help="Write the threshold into the model's config.json.")
@click.option(
    "--tag-ms",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    help="Processor time for tagging a post.",
)
@click.option(
    "--look-ms",
    type=click.FloatRange(min=0),
    default=140.0,
    show_default=True,
    help="Processor time for a look: by default what the worker's OCR takes.",
)
@set_option
@draws_options
@telling_options
def command(model: str, **flags: Any) -> None:
    """F1 and cost against the share of pictures that are looked at: `uncertain(T)` for every T, against
    chance, an oracle, always and never.

    MODEL is a saved model's folder, an installed model, or a plugin. On --data, which should be posts that
    the model was not trained on, it chooses the threshold with the fewest looks that keeps 95 % of what
    looking always gains over looking never; --report says what it does on others. A route with
    `look = "uncertain"` takes the threshold that --store wrote.
    """
    from streamproc_mner.analysis.look import look_findings
    from streamproc_mner.analysis.watched import Costs
    from streamproc_mner.data.labelled_file import LabelledFile

    telling = Telling.of(flags)
    (loaded,) = load_models((model,), flags["device"], flags["assignments"])
    folder = _own_folder(loaded) if flags["store"] else None
    data, report = flags["data"], flags["report"]
    if report is not None:
        report = LabelledFile(report, data.pictures, repair=data.repair)
    if flags["threshold"] is not None and flags["budget"] is not None:
        raise click.UsageError("--threshold gives what --budget chooses: name one of them")
    on = _watch(loaded, data)
    other = _watch(loaded, report) if report is not None else None
    chosen, by = _choose(on, flags["threshold"], flags["budget"])
    if folder is not None and chosen is None:
        raise SettingsError(
            f"--store: on {data.path} looking always gains nothing over never: choose on other posts, or "
            "give --budget or --threshold"
        )
    costs = Costs(flags["tag_ms"], flags["look_ms"])
    draws = draws_of(flags)
    telling.tell(
        look_findings(loaded.model.model or model, on, other, chosen, by=by, costs=costs, draws=draws)
    )
    if folder is not None and chosen is not None:
        from streamproc_mner.choices import store_choices

        store_choices(folder, look_threshold=chosen)
        click.echo(f"stored in {folder}: look_threshold = {chosen:g}", err=True)


def _choose(on: Watched, threshold: float | None, budget: float | None) -> tuple[float | None, ChosenBy]:
    """A threshold, `None` where looking gains nothing, and how it was chosen."""
    from streamproc_mner.analysis.look import affordable_threshold, chosen_threshold

    if threshold is not None:
        return threshold, "hand"
    if budget is not None:
        return affordable_threshold(on, budget), "budget"
    return chosen_threshold(on), "gain"


def _own_folder(loaded: LoadedModel) -> Path:
    """The folder of a saved model that was named as such: what is installed is not written to."""
    if loaded.folder is None or not Path(loaded.name).expanduser().is_dir():
        raise SettingsError(
            f"--store writes into a saved model's folder: {loaded.name!r} is none; give one"
        )
    return loaded.folder


def _watch(loaded: LoadedModel, data: LabelledFile) -> Watched:
    from streamproc_mner.analysis.looking import looked_for_by, measure_looks
    from streamproc_mner.analysis.watched import Watched

    looked_for_by(loaded.model)  # before a file is read for nothing
    posts = data.posts(loaded.model.widths)
    with tagging(f"tagging {data.path.name}") as begin:
        return Watched.of(data.path.name, measure_looks(loaded.model, posts, begin(2 * len(posts))))
