"""Tiny random networks of every variant, and their saved models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel

from streamproc_mner.collate import PostEncoder
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.stored import save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.pictures import Picture, PictureNeed, cell_boxes, pad_pictures
from streamproc_mner.training.batches import view_of
from streamproc_mner.windows import Limits
from streamproc_mner.words import words_of
from streamproc_umt.tagger import UmtSettings, UmtTagger

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
VARIANTS: dict[str, dict[str, Any]] = {
    "umt": {},
    "mt": {"span_detection": "off"},
    "no-conversion": {"span_detection": "auxiliary"},
    "fixed-conversion": {"span_detection": "fixed-conversion"},
    "no-image-aware": {"image_aware": False},
    "no-visual-gate": {"visual_gate": False},
    "pads": {"labels": "pad-as-authors"},
}

NEED = PictureNeed("grid", 6, 49)

Make = Callable[..., UmtTagger]
Save = Callable[[UmtTagger, Path], Path]


@pytest.fixture(scope="session")
def make(tiny_encoder: Path) -> Make:
    """Makes networks, random and telling labels apart, in evaluation mode."""

    def make(**settings: object) -> UmtTagger:
        torch.manual_seed(3)
        parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(tiny_encoder)))
        tiny = {"picture_width": 6, "heads": 4, "feed_forward": 40}
        network = UmtTagger(UmtSettings.model_validate(tiny | settings), LABELS, parts).eval()
        with torch.no_grad():
            network.output.weight.normal_(std=0.3)
            network.cells.absent.normal_()
        return network

    return make


@pytest.fixture(scope="session")
def save(tiny_encoder: Path) -> Save:
    """Saves a network in a folder."""

    def save(network: UmtTagger, folder: Path) -> Path:
        save_tagger(
            network,
            folder,
            plugin="umt",
            name="tiny",
            tokenizer=tiny_encoder / "tokenizer.json",
            vocabulary=None,
            limits=Limits(window=48, overlap=12),
            metrics={},
            card="# tiny\n",
        )
        return folder

    return save


def _picture(seed: int | None) -> Picture | None:
    if seed is None:
        return None
    features = np.random.default_rng(seed).normal(size=(49, NEED.width)).astype(np.float32)
    return Picture(features, cell_boxes().astype(np.float32))


@pytest.fixture(scope="session")
def view(tiny_encoder: Path) -> Callable[..., Inputs]:
    """Makes a batch of posts, each a text and the seed of its picture or `None`."""
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", Limits())

    def view(*posts: tuple[str, int | None]) -> Inputs:
        encoded = encoder.encode([words_of(text) for text, _ in posts], [()] * len(posts))
        return view_of(encoded, pad_pictures([_picture(seed) for _, seed in posts], NEED))

    return view


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of one variant."""
    return VARIANTS[request.param]
