"""A smaller vocabulary of word vectors: moon2018 table 3."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from streamproc.entities import View
from streamproc.errors import InputError, SettingsError
from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.groups import Group
from streamproc_mner.analysis.networks import SavedNetwork, folder_of, load_network
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.systems import Begin, System, counts_of_models, systems_of, tag
from streamproc_mner.analysis.variants import findings_by_variant
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.evaluation.loading import LoadedModel
from streamproc_mner.evaluation.significance import Counts
from streamproc_mner.model_folder import plugin_of
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_mner.vocabulary import Vocabulary

_WHOLE: Final = "100 %"
_NO_WORD: Final = ""
"""Stands for a word that was cut: no word of a post is spelled so."""


def shares_of(text: str) -> tuple[int, ...]:
    """Percentages such as `75,50,25`.

    Raises:
        SettingsError: no whole numbers, or not below 100 and falling.
    """
    parts = [part.strip() for part in text.split(",")]
    shares = tuple(int(part) for part in parts if part.isdecimal())
    if len(shares) < len(parts) or any(high <= low for high, low in pairwise((100, *shares, 0))):
        raise SettingsError(f"--shares {text}: expected falling percentages below 100, such as 75,50,25")
    return shares


def network_with_words(name: str, device: str) -> SavedNetwork:
    """A saved network that looks words up in a table.

    Raises:
        InputError: it has none: it reads sub-tokens, or characters alone.
    """
    from streamproc_mner.nn.word_vectors import WordTable

    folder = folder_of(name)
    if plugin_of(folder) != "mner-onnx":
        found = load_network(name, folder, device)
        if any(isinstance(module, WordTable) for module in found.network.modules()):
            return found
    raise InputError(
        f"{name} has no word vectors that could be cut: it reads sub-tokens or characters; "
        "expected a model such as those of bilstm-crf"
    )


def by_vocabulary(
    networks: Mapping[str, Sequence[SavedNetwork]],
    data: LabelledFile,
    view: View | None,
    *,
    shares: Sequence[int],
    times: int,
    draws: Draws,
    begin: Begin,
) -> Findings:
    """F1 with a part of the words' vectors taken away (moon2018 section 4.3, table 3).

    The words to be taken away are drawn at random, as in the paper; a smaller share keeps a part of
    what a larger one keeps. They are read as unknown words when the saved model tags: it is not
    trained anew. Characters stay.

    Args:
        networks: that look words up, by the name of their group.
        data: posts.
        view: the only one to measure; by default all that a model has of the posts.
        shares: percent of the words that are kept, beside all.
        times: how often words are drawn for each share.
        draws: of the bootstrap; words are drawn from its seed on.
        begin: see `Begin`.

    Raises:
        InputError: a model has no such view of the posts.
    """
    whole = [
        Group(name, tuple(LoadedModel(one.name, _served(one, one.vocabulary)) for one in members))
        for name, members in networks.items()
    ]
    systems = systems_of(whole, data, view)
    posts = sum(len(data.posts(model.widths)) for one in systems for model in one.models)
    advance = begin((1 + times * len(shares)) * posts)

    def counts(system: System, share: int, seed: int) -> Counts:
        models = [_served(one, cut(one.vocabulary, share, seed)) for one in networks[system.name]]
        served = System(system.name, tuple(models), system.view)
        return counts_of_models(tag(served, lambda model: data.posts(model.widths), advance).judged)

    seeds = range(draws.seed, draws.seed + times)
    variants = {_WHOLE: {one.label: counts(one, 100, draws.seed) for one in systems}}
    for share in shares:
        drawn = {one.label: [counts(one, share, seed) for seed in seeds] for one in systems}
        variants[f"{share} %"] = {label: np.sum(found, axis=0) for label, found in drawn.items()}
    words = ", ".join(f"{one.name} {len(one.vocabulary.words)}" for of in networks.values() for one in of)
    notes = (
        f"Words with a vector: {words}. Those that are cut are read as unknown; nothing is trained anew.",
        f"Words to be cut are drawn {times} times a share (seeds from {draws.seed}); counts are added up.",
    )
    title = "F1 by the share of the word vectors that is kept"
    return findings_by_variant("vocabulary", title, "words", variants, _WHOLE, notes, draws, ordered=True)


def cut(vocabulary: Vocabulary, share: int, seed: int) -> Vocabulary:
    """A vocabulary that finds only some of its words, each under the number that it had.

    Args:
        vocabulary: of n words.
        share: percent of them that are kept.
        seed: which; for one seed a smaller share keeps a part of what a larger one keeps.
    """
    order = list(range(len(vocabulary.words)))
    random.Random(seed).shuffle(order)
    kept = set(order[: round(share / 100 * len(order))])
    words = tuple(word if place in kept else _NO_WORD for place, word in enumerate(vocabulary.words))
    return Vocabulary(words, vocabulary.characters)


def _served(network: SavedNetwork, vocabulary: Vocabulary) -> TaggerModel:
    from streamproc_mner.torch_serving import served

    saved = replace(network.saved, vocabulary=vocabulary)
    return served(saved, network.network, TorchTaggerConfig(), network.device)
