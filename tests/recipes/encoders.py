"""Tiny random encoders by their role in a network."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from transformers import AutoModel, BertConfig, BertModel, VisualBertConfig, VisualBertModel

from plugins.conftest import write_tokenizer
from streamproc_mner.nn.stored import without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.vocabulary import Vocabulary

SIZES: Final = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}


def make_encoders(folder: Path) -> Path:
    """Write a tiny BERT and a tiny VisualBERT that share a tokenizer; returns the folder."""
    torch.manual_seed(0)
    for kind in ("text", "vision-language"):
        (folder / kind).mkdir()
        vocabulary = write_tokenizer(folder / kind / "tokenizer.json")
        if kind == "text":
            BertModel(BertConfig(vocab_size=vocabulary, **SIZES)).save_pretrained(folder / kind)
        else:
            config = VisualBertConfig(vocab_size=vocabulary, visual_embedding_dim=16, **SIZES)
            VisualBertModel(config).save_pretrained(folder / kind)
    return folder


def tiny_parts(folder: Path, vocabulary: Vocabulary) -> Parts:
    """What tiny networks are built of.

    Args:
        folder: of `make_encoders`.
        vocabulary: of made posts.
    """

    def find(role: str, name: str) -> BertModel:
        kind = "vision-language" if "visualbert" in name else "text"
        return without_pooler(AutoModel.from_pretrained(folder / kind))

    return Parts(find, vocabulary)
