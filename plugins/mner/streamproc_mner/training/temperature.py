"""The temperature of a trained model: its probabilities brought to what held-out posts show.

One number T divides all scores of the CRF before probabilities are taken (Guo et al. 2017, section
4.2, for a whole label sequence). The labels that are chosen stay as they are; a network that is
too sure of itself, as trained networks are, gets a T above 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from streamproc.entities import View
from streamproc.errors import InputError
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.decoding import Decoder
from streamproc_mner.evaluation.predictions import input_of
from streamproc_mner.labels import FORBIDDEN, labels_of
from streamproc_mner.tagging import TaggerModel

LOWEST: Final = 0.1
HIGHEST: Final = 10.0
_BATCH: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScores:
    """Emissions of one post's n words, n from 1, and what is known of their labels.

    Attributes:
        emissions: (n, L).
        agrees: (n, L) bool: the labels that a word may have by what is known; all where nothing is.
        joined: (n,), see `streamproc_mner.decoding.Decoder.decode`; `None` for nowhere.
    """

    emissions: NDArray[np.float32]
    agrees: NDArray[np.bool_]
    joined: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A temperature, and the mean -log p(gold labels) of a post before (T = 1) and after."""

    temperature: float
    before: float
    after: float


def fit_temperature(decoder: Decoder, posts: Sequence[LabelledScores]) -> Fitted:
    """The T from 0.1 to 10 under which the gold labels of held-out posts are most probable.

        T = argmin sum over posts of -log p_T(gold),  p_T(y) = exp(score(y) / T) / Z_T

    over the sequences that BIO allows; labels that are not known are summed over.

    Args:
        decoder: of the model, at any temperature.
        posts: that the model was neither trained nor chosen on.

    Raises:
        InputError: there are no posts.
    """
    if not posts:
        raise InputError("a temperature is fitted on labelled posts: there is none with a word in it")
    found = minimize_scalar(
        lambda power: mean_surprise(decoder.at(exp(power)), posts),
        bounds=(log(LOWEST), log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    temperature = float(exp(found.x))
    return Fitted(temperature, mean_surprise(decoder.at(1.0), posts), float(found.fun))


def mean_surprise(decoder: Decoder, posts: Sequence[LabelledScores]) -> float:
    """Mean of -log p(gold) over posts, in nats, at the decoder's temperature."""
    return sum(float(part.sum()) for part in _surprises(decoder, posts)) / len(posts)


def _surprises(decoder: Decoder, posts: Sequence[LabelledScores]) -> Iterator[NDArray[np.float64]]:
    """Posts of similar length together."""
    order = sorted(posts, key=lambda post: len(post.emissions))
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        flags = [post.joined for post in batch if post.joined is not None] or None
        everything = [post.emissions for post in batch]
        known = [np.where(post.agrees, post.emissions, np.float32(FORBIDDEN)) for post in batch]
        yield decoder.log_partition(everything, flags) - decoder.log_partition(known, flags)


def collect_scores(
    model: TaggerModel,
    posts: Sequence[LabelledPost],
    view: View = "text",
    advance: Callable[[int], None] = lambda _: None,
) -> list[LabelledScores]:
    """What a loaded model says of labelled posts, before its CRF.

    Nothing is held to be known of mentioned accounts' names where the data set does not label them,
    nor of an entity with a word that the network does not see. Posts without a word are left out.

    Args:
        model: loaded.
        posts: labelled.
        view: `text`: without what was seen in their pictures.
        advance: called with how many posts were done since it was last called.

    Raises:
        InputError: a post has a type that the model does not know; names both.
    """
    collected = []
    for start in range(0, len(posts), _BATCH):
        chosen = posts[start : start + _BATCH]
        found = model.word_scores([input_of(model, post, view) for post in chosen])
        collected += [
            LabelledScores(read.emissions, _agrees(post, read.kept, model.decoder.labels), read.joined)
            for post, read in zip(chosen, found, strict=True)
        ]
        advance(len(chosen))
    return [post for post in collected if len(post.emissions)]


def _agrees(post: LabelledPost, kept: NDArray[np.int64], labels: Sequence[str]) -> NDArray[np.bool_]:
    """(n, L): which labels the n words that a network sees may have."""
    number = {label: index for index, label in enumerate(labels)}
    names = labels_of(post.spans, len(post.words))
    strange = sorted(set(names) - number.keys())
    if strange:
        raise InputError(
            f"post {post.id}: label {strange[0]} is not one of the model's: {', '.join(labels)}"
        )
    unknown = set() if post.mentions_labelled else set(post.mentions)
    unseen = set(range(len(names))) - set(kept.tolist())
    for span in post.spans:
        words = set(range(span.start, span.end))
        if words & (unknown | unseen):
            unknown |= words
    agrees = np.zeros((len(kept), len(labels)), bool)
    for row, word in enumerate(kept.tolist()):
        agrees[row, slice(None) if word in unknown else number[names[word]]] = True
    return agrees
