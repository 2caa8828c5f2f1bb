"""`streamproc analyse`: the papers' analyses, one command each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streamproc_mner.cli.analyse_output import (
    Telling,
    data_options,
    draws_of,
    load_groups,
    models_argument,
    one_view,
    tagging,
    telling_options,
    training_file_option,
    view_option,
)
from streamproc_mner.cli.measuring_options import draws_options, set_option

if TYPE_CHECKING:
    from streamproc_mner.analysis.findings import Findings
    from streamproc_mner.analysis.scores import Draws
    from streamproc_mner.analysis.systems import Tagged
    from streamproc_mner.data.normaliser import LabelledPost

ELSEWHERE: Final = {
    "look": "streamproc_mner.cli.analyse_look:command",
    "size": "streamproc_mner.cli.analyse_size:command",
}
"""Commands that have files of their own."""


class Analyses(click.Group):
    """The commands of this file, and those of `ELSEWHERE`, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, name = ELSEWHERE[cmd_name].split(":")
        found: click.Command = getattr(import_module(module), name)
        return found


@click.group("analyse", cls=Analyses)
def command() -> None:
    """Where models are good and where pictures help: the papers' analyses, as tables and plots.

    MODEL is the folder of a saved model, an installed model, or a plugin that needs no model. Models that
    differ in their seed only go under one name, and means are told: NAME=FOLDER,FOLDER,...
    """


def _parts_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What all analyses of parts of the data have: models, data, view, bootstrap, output."""
    for option in (telling_options, draws_options, set_option, view_option, data_options):
        function = option(function)
    return models_argument(function)


_ignore_case_option = click.option("--ignore-case", is_flag=True, help="nba and NBA are one surface form.")


def _training(file: Path, flags: dict[str, Any]) -> list[LabelledPost]:
    """The posts of `--train`, mended as those of `--data` are."""
    from streamproc_mner.data.labelled_file import LabelledFile

    return LabelledFile(file, repair=flags["data"].repair).posts()


def _by_part(found: Callable[[list[Tagged], Draws], Findings], flags: dict[str, Any]) -> None:
    """Tag the data with each model in its views, and tell what an analysis finds in it."""
    from streamproc_mner.analysis.systems import systems_of, tag_all

    telling, data = Telling.of(flags), flags["data"]
    groups = load_groups(flags["models"], flags["device"], flags["assignments"])
    with tagging() as begin:
        tagged = tag_all(systems_of(groups, data, one_view(flags["view"])), data, begin)
    telling.tell(found(tagged, draws_of(flags)))


@command.command("length", short_help="F1 by sentence length (Chen et al. 2021, figure 2).")
@click.option(
    "--borders",
    default="7,14,21,28",
    show_default=True,
    help="Words of the longest post of each part but the last.",
)
@_parts_options
def length(borders: str, **flags: Any) -> None:
    """F1 by sentence length (Chen et al. 2021, figure 2)."""
    from streamproc_mner.analysis.length import borders_of, by_length

    told = borders_of(borders)
    _by_part(lambda tagged, draws: by_length(tagged, told, draws), flags)


@command.command("types", short_help="Precision, recall and F1 by entity type (Wang et al. 2022, table 5).")
@_parts_options
def types(**flags: Any) -> None:
    """Precision, recall and F1 by entity type (Wang et al. 2022, table 5)."""
    from streamproc_mner.analysis.types import by_type

    _by_part(by_type, flags)


@command.command(
    "seen", short_help="F1 of entities that training has and has not (Chen et al. 2021, table 6)."
)
@training_file_option
@_ignore_case_option
@_parts_options
def seen(training: Path, ignore_case: bool, **flags: Any) -> None:
    """F1 of entities that the training file has and has not (Chen et al. 2021, table 6)."""
    from streamproc_mner.analysis.training_entities import TrainingEntities, by_seen

    entities = TrainingEntities(_training(training, flags), ignore_case=ignore_case)
    _by_part(lambda tagged, draws: by_seen(tagged, entities, draws), flags)


@command.command("ambiguous", short_help="F1 by a name's types in training (Chen et al. 2020, table 4).")
@training_file_option
@_ignore_case_option
@_parts_options
def ambiguous(training: Path, ignore_case: bool, **flags: Any) -> None:
    """F1 by the types that a surface form has in training (Chen et al. 2020, table 4)."""
    from streamproc_mner.analysis.training_entities import TrainingEntities, by_ambiguity

    entities = TrainingEntities(_training(training, flags), ignore_case=ignore_case)
    _by_part(lambda tagged, draws: by_ambiguity(tagged, entities, draws), flags)


@command.command("captions", short_help="F1 over the number of captions (Wang et al. 2022, figure 2).")
@models_argument
@data_options
@set_option
@click.option("--most", default=10, show_default=True, type=click.IntRange(min=1), help="Captions.")
@draws_options
@telling_options
def captions(most: int, **flags: Any) -> None:
    """F1 over the number of captions, 0 to 10 or as many as posts have (Wang et al. 2022, figure 2).

    MODELs read captions, and the data has some.
    """
    from streamproc_mner.analysis.captions import caption_counts

    telling = Telling.of(flags)
    groups = load_groups(flags["models"], flags["device"], flags["assignments"])
    with tagging() as begin:
        found = caption_counts(groups, flags["data"], most, draws_of(flags), begin)
    telling.tell(found)


@command.command(
    "caption-quality", short_help="F1 by whose captions they are (Chen et al. 2021, section 5.1)."
)
@models_argument
@data_options
@set_option
@click.option(
    "--captioner",
    "captioners",
    multiple=True,
    metavar="NAME",
    help="Also this captioner's captions alone, by its name in the data; may be given several times.",
)
@draws_options
@telling_options
def caption_quality(captioners: tuple[str, ...], **flags: Any) -> None:
    """F1 with own captions, another post's, none, another captioner's (Chen et al. 2021, section 5.1).

    MODELs read captions, and the data has some.
    """
    from streamproc_mner.analysis.captions import caption_quality as by_captions

    telling = Telling.of(flags)
    groups = load_groups(flags["models"], flags["device"], flags["assignments"])
    with tagging() as begin:
        found = by_captions(groups, flags["data"], captioners, draws_of(flags), begin)
    telling.tell(found)


@command.command("vocabulary", short_help="F1 with fewer word vectors (Moon et al. 2018, table 3).")
@models_argument
@data_options
@view_option
@click.option(
    "--shares", default="75,50,25", show_default=True, help="Percent of the words kept, beside all."
)
@click.option(
    "--draws", "times", default=3, show_default=True, type=click.IntRange(1, 100), help="Of words, a share."
)
@draws_options
@telling_options
def vocabulary(shares: str, times: int, **flags: Any) -> None:
    """F1 with a part of the word vectors taken away (Moon et al. 2018, table 3).

    MODELs are folders of saved models that look words up, as those of bilstm-crf do.
    """
    from streamproc_mner.analysis.groups import groups_named
    from streamproc_mner.analysis.vocabulary import by_vocabulary, network_with_words, shares_of

    telling = Telling.of(flags)
    kept = shares_of(shares)
    networks = {
        name: [network_with_words(member, flags["device"]) for member in members]
        for name, members in groups_named(flags["models"]).items()
    }
    with tagging() as begin:
        found = by_vocabulary(
            networks, flags["data"], one_view(flags["view"]),
            shares=kept, times=times, draws=draws_of(flags), begin=begin,
        )  # fmt: skip
    telling.tell(found)


@command.command(
    "distance", short_help="How far pictures move words' vectors (Wang et al. 2022, figure 3)."
)
@models_argument
@data_options
@draws_options
@telling_options
def distance(**flags: Any) -> None:
    """How far pictures move the words' representations (Wang et al. 2022, figure 3).

    MODELs are folders of saved models or installed models, and read something that the data have.
    """
    from streamproc_mner.analysis.distance import by_distance, represented
    from streamproc_mner.analysis.groups import groups_named

    telling = Telling.of(flags)
    told = {
        name: [represented(member, flags["device"]) for member in members]
        for name, members in groups_named(flags["models"]).items()
    }
    with tagging() as begin:
        found = by_distance(told, flags["data"], draws_of(flags), begin)
    telling.tell(found)
