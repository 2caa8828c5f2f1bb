"""Tiny saved models of a family, for the families' own tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModel

from streamproc.fusion.api import FusionInput
from streamproc_mner.nn.inputs import Inputs, inputs_of
from streamproc_mner.nn.stored import save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts, Tagger
from streamproc_mner.pictures import pad_pictures, picture_of
from streamproc_mner.saved_model import read_model
from streamproc_mner.torch_serving import encoder_for
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import Limits, pad
from streamproc_mner.words import words_of

LABELS: Final = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
TEXTS: Final = ("Kevin Durant in Paris", "x", "harry potter at the google stadium in london " * 9)


def save_random(
    network_class: Any, settings: Mapping[str, Any], plugin: str, encoder: Path, folder: Path
) -> Path:
    """Save a network with random weights.

    Args:
        network_class: of the family.
        settings: of the network.
        plugin: that serves it.
        encoder: folder of a tiny encoder.
        folder: of the model.

    Returns:
        The folder.
    """
    torch.manual_seed(5)
    vocabulary = Vocabulary.of([words_of(text) for text in TEXTS])
    parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(encoder)), vocabulary)
    network: Tagger = network_class(network_class.Settings.model_validate(settings), LABELS, parts)
    torch.nn.init.normal_(network.output.weight)
    save_tagger(
        network,
        folder,
        plugin=plugin,
        name="tiny",
        tokenizer=encoder / "tokenizer.json" if network.encoder_configs else None,
        vocabulary=vocabulary if network.reads_vocabulary else None,
        limits=Limits(window=48, overlap=12, context=0),
        metrics={},
        card="# tiny\n",
    )
    return folder


def first_windows(folder: Path, network: Tagger, posts: Sequence[FusionInput]) -> Inputs:
    """What a saved network reads of the first windows of posts."""
    encoder = encoder_for(network, read_model(folder, "model.safetensors"))
    encoded = encoder.encode([words_of(post.text) for post in posts], [()] * len(posts))
    need = network.reads.picture
    assert need is not None
    pictures = pad_pictures([picture_of(post, need) for post in posts], need)
    return inputs_of(pad([post.windows[0] for post in encoded]), pictures)
