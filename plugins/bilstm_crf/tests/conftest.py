"""Tiny random networks of the family, and a saved model of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import torch

from streamproc_bilstm_crf.tagger import BiLstmTagger
from streamproc_mner.nn.stored import save_tagger
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import Limits
from streamproc_mner.words import words_of

LABELS: Final = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
LIMITS: Final = Limits(window=40, overlap=10, word=12)
KNOWN: Final = (
    "Kevin Durant visits Paris in the rain NASA no names in here , just a quiet afternoon 🎉 word"
)
SMALL: Final[dict[str, Any]] = {
    "word_width": 6,
    "character_width": 4,
    "character_hidden": 3,
    "picture_width": 8,
    "transform_width": 5,
    "hidden": 7,
}
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "wcv-attn": {},
    "wcv": {"fusion": "concat"},
    "wc-attn": {"picture": "none"},
    "wc-multitask": {"picture": "none", "fusion": "concat", "characters": "cnn", "multitask": 0.5},
    "w": {"picture": "none", "fusion": "concat", "characters": "none"},
    "c": {"picture": "none", "fusion": "concat", "words": False},
    "hbilstm": {"picture": "none", "fusion": "concat", "lstm": "standard", "transform_width": 0},
    "wv": {"fusion": "concat", "characters": "none", "transform_width": 0},
}

Make = Callable[..., BiLstmTagger]
Save = Callable[[BiLstmTagger, Path], Path]


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary.of([words_of(KNOWN)])


@pytest.fixture(scope="session")
def make(vocabulary: Vocabulary) -> Make:
    """Makes a network of a variant, random and telling labels apart, in evaluation mode."""

    def make(variant: str, **settings: object) -> BiLstmTagger:
        torch.manual_seed(3)
        given = BiLstmTagger.Settings.model_validate({**SMALL, **VARIANTS[variant], **settings})
        parts = Parts(lambda role, name: pytest.fail(f"asked for the encoder {name}"), vocabulary)
        network = BiLstmTagger(given, LABELS, parts).eval()
        for parameter in network.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.7)
        return network

    return make


@pytest.fixture(scope="session")
def save(vocabulary: Vocabulary) -> Save:
    """Saves a network in a folder."""

    def save(network: BiLstmTagger, folder: Path) -> Path:
        save_tagger(
            network,
            folder,
            plugin="bilstm-crf",
            name="tiny",
            tokenizer=None,
            vocabulary=vocabulary,
            limits=LIMITS,
            metrics={},
            card="# tiny\n",
        )
        return folder

    return save


@pytest.fixture(scope="session", params=VARIANTS)
def network(make: Make, request: pytest.FixtureRequest) -> BiLstmTagger:
    return make(request.param)


@pytest.fixture(scope="session")
def folder(network: BiLstmTagger, save: Save, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(network, tmp_path_factory.mktemp("saved") / "model")
