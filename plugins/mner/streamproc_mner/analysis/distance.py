"""How far what was seen in pictures moves the words' representations: wang2022-ita figure 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from streamproc.vision.visuals import Seen
from streamproc_mner.analysis.findings import Cell, Findings, Plot
from streamproc_mner.analysis.networks import folder_of, load_network
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.systems import Advance, Begin
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.loading import LoadedModel, load_model
from streamproc_mner.evaluation.measuring import chosen_views, seen_in
from streamproc_mner.evaluation.predictions import input_of
from streamproc_mner.model_folder import plugin_of
from streamproc_mner.tagging import TaggerModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

STATES: Final = "states"
EMISSIONS: Final = "emissions"

COLUMNS: Final = (
    "model", "of", "posts", "words", "L2", "s.d.", "L2 95 %", "in entities", "elsewhere",
    "of length, percent",
)  # fmt: skip

_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Represented:
    """A model that tells the representations of words.

    Attributes:
        name: as it was asked for.
        model: whose `word_scores` are them.
        what: `states`, which the output layer reads, or `emissions`, where no more can be had.
    """

    name: str
    model: TaggerModel
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """The words of one post, which has something to see.

    Attributes:
        by: (n,) |r'_i - r_i|, the distance between the two views.
        length: (n,) |r_i|, of the text view.
        entity: (n,) whether the word is in a gold entity.
    """

    by: Floats
    length: Floats
    entity: NDArray[np.bool_]


def represented(name: str, device: str) -> Represented:
    """A saved model that tells its words' representations.

    Of a network in torch these are what its output layer reads, at each word's first sub-token:
    with a transformer the encoder's output (wang2022-ita section 2.1, r_i). An exported model gives
    emissions and nothing before them.

    Raises:
        InputError: there is no saved model of this name.
        PluginError: it cannot be loaded.
    """
    folder = folder_of(name)
    if plugin_of(folder) == "mner-onnx":
        model = load_model(name, device, {"handles": True}).model
        assert isinstance(model, TaggerModel)
        return Represented(name, model, EMISSIONS)
    from streamproc_mner.analysis.states import states_model

    return Represented(name, states_model(load_network(name, folder, device)), STATES)


def by_distance(
    groups: Mapping[str, Sequence[Represented]], data: LabelledFile, draws: Draws, begin: Begin
) -> Findings:
    """The mean L2 distance of words' representations with and without pictures (wang2022-ita figure 3).

        d = mean_i |r'_i - r_i|

    over the words of posts in whose pictures something was seen that the model reads; r_i of the
    text view, r'_i of the image+text view.

    Args:
        groups: models by name; of several that differ in their seed means are told.
        data: posts with something to see.
        draws: of the bootstrap.
        begin: see `Begin`.

    Raises:
        InputError: the data has nothing to see for a model.
    """
    told = [one for group in groups.values() for one in group]
    seen = {one.name: _with_something(one, data) for one in told}
    advance = begin(sum(map(len, seen.values())))
    rows = tuple(
        _row(name, group, [moved_words(one, seen[one.name], advance) for one in group], draws)
        for name, group in groups.items()
    )
    notes = (
        "L2: mean distance of a word's representation with what was seen in the post's picture from that "
        "without, in posts with something to see; 95 % intervals by bootstrap over posts "
        f"({draws.resamples} resamples, seed {draws.seed}).",
        "of length: as a share of the text view's mean length, which compares models of other widths.",
        *(
            f"{one.name} is exported: emissions stand for the encoder's output, which it does not give."
            for one in told
            if one.what == EMISSIONS
        ),
    )
    title = "L2 distance between the views' representations of words"
    return Findings("distance", title, COLUMNS, rows, notes, _bars(rows))


def moved_words(told: Represented, posts: Sequence[LabelledPost], advance: Advance) -> list[Moved]:
    """How far each word of each post is moved, in posts with something to see."""
    moved = []
    for start in range(0, len(posts), _BATCH):
        chosen = posts[start : start + _BATCH]
        text, both = (
            told.model.word_scores([input_of(told.model, post, view) for post in chosen])
            for view in ("text", "image+text")
        )
        for post, without, looked in zip(chosen, text, both, strict=True):
            alone = without.emissions.astype(np.float64)
            inside = np.zeros(len(post.words), bool)
            for span in post.spans:
                inside[span.start : span.end] = True
            by = np.linalg.norm(looked.emissions - alone, axis=1)
            moved.append(Moved(by, np.linalg.norm(alone, axis=1), inside[without.kept]))
        advance(len(chosen))
    return moved


def _with_something(told: Represented, data: LabelledFile) -> list[LabelledPost]:
    """The posts in whose pictures something was seen that the model reads."""
    posts = data.posts(told.model.widths)
    chosen_views(LoadedModel(told.name, told.model), seen_in(posts), "image+text")
    reads = told.model.modalities
    return [post for post in posts if any(isinstance(post.visuals.get(name), Seen) for name in reads)]


def _row(
    name: str, group: Sequence[Represented], moved: Sequence[Sequence[Moved]], draws: Draws
) -> tuple[Cell, ...]:
    """Means over the models of a group, and how far they spread."""
    figures = np.array([_figures(of_model) for of_model in moved])
    each, mean = figures[:, 0], figures.mean(axis=0)
    inside, outside, relative = (None if np.isnan(value) else float(value) for value in mean[1:])
    return (
        name,
        group[0].what,
        len(moved[0]),
        sum(len(words.by) for words in moved[0]),
        float(each.mean()),
        float(each.std(ddof=1)) if len(each) > 1 else None,
        _interval(moved, draws),
        inside,
        outside,
        relative,
    )


def _figures(moved: Sequence[Moved]) -> tuple[float, float, float, float]:
    """Mean distances of all words, in entities and elsewhere, and in percent of the mean length."""
    by = np.concatenate([words.by for words in moved])
    entity = np.concatenate([words.entity for words in moved])
    length = float(np.concatenate([words.length for words in moved]).mean())
    inside = float(by[entity].mean()) if entity.any() else np.nan
    outside = float(by[~entity].mean()) if not entity.all() else np.nan
    return float(by.mean()), inside, outside, 100 * float(by.mean()) / length if length else np.nan


def _interval(moved: Sequence[Sequence[Moved]], draws: Draws) -> tuple[float, float]:
    """The 95 % interval of the mean over models and words, posts drawn with their words together."""
    sums = np.array([[words.by.sum() for words in of_model] for of_model in moved]).mean(axis=0)
    counts = np.array([len(words.by) for words in moved[0]])
    source = np.random.default_rng(draws.seed)
    means = []
    for _ in range(draws.resamples):
        drawn = source.integers(len(sums), size=len(sums))
        means.append(sums[drawn].sum() / max(counts[drawn].sum(), 1))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _bars(rows: Sequence[tuple[Cell, ...]]) -> Plot:
    """A bar for each model with its interval."""

    def plot(axes: Axes) -> None:
        names, heights = [f"{row[0]}\n{row[1]}" for row in rows], np.array([row[4] for row in rows])
        reach = np.abs(np.array([row[6] for row in rows]).T - heights)
        axes.bar(names, heights, 0.6, yerr=reach, error_kw={"elinewidth": 1, "ecolor": "#444444"})
        axes.set_ylabel("mean L2 distance of a word, 95 % interval")

    return plot
