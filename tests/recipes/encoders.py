"""Tiny random encoders by their role in a network."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertModel,
    PreTrainedModel,
    VisualBertConfig,
    VisualBertModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from plugins.tiny_tokenizers import write_unigram, write_word_piece
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
    """Write a tiny BERT and a tiny VisualBERT that share a tokenizer, and a tiny XLM-R; the folder."""
    torch.manual_seed(0)
    for kind in ("bert", "visualbert", "xlmr"):
        (folder / kind).mkdir()
        tokenizer = folder / kind / "tokenizer.json"
        count = write_unigram(tokenizer) if kind == "xlmr" else write_word_piece(tokenizer)
        _random(kind, count).save_pretrained(folder / kind)
    return folder


def _random(kind: str, vocabulary: int) -> PreTrainedModel:
    if kind == "bert":
        return BertModel(BertConfig(vocab_size=vocabulary, **SIZES))
    if kind == "visualbert":
        return VisualBertModel(VisualBertConfig(vocab_size=vocabulary, visual_embedding_dim=16, **SIZES))
    return XLMRobertaModel(
        XLMRobertaConfig(vocab_size=vocabulary, type_vocab_size=1, pad_token_id=1, **SIZES)
    )


def kind_of(name: str) -> str:
    """Which of the tiny encoders stands for the public one of a name."""
    return next(
        (kind for kind, part in (("visualbert", "visualbert"), ("xlmr", "xlm")) if part in name), "bert"
    )


def tiny_parts(folder: Path, vocabulary: Vocabulary) -> Parts:
    """What tiny networks are built of.

    Args:
        folder: of `make_encoders`.
        vocabulary: of made posts.
    """

    def find(role: str, name: str) -> PreTrainedModel:
        return without_pooler(AutoModel.from_pretrained(folder / kind_of(name)))

    return Parts(find, vocabulary)
