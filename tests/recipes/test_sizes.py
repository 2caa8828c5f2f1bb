"""The numbers of weights in docs/models.md are those of the networks at BERT-base size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    VisualBertConfig,
    VisualBertModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from streamproc_mner.nn.stored import without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.recipes.building import build_network
from streamproc_mner.recipes.recipe import find_recipe

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
STATED = re.findall(r"^\| `(\w+/[\w-]+)` \| ([\d,]+) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def _public(role: str, name: str) -> PreTrainedModel:
    """The public encoders' sizes, without their weights."""
    if name.startswith("uclanlp/visualbert"):
        return without_pooler(VisualBertModel(VisualBertConfig(visual_embedding_dim=2048)))
    if name == "xlm-roberta-large":
        large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
        config = XLMRobertaConfig(
            vocab_size=250_002,
            intermediate_size=4096,
            max_position_embeddings=514,
            type_vocab_size=1,
            **large,
        )
        return without_pooler(XLMRobertaModel(config))
    words = {"bert-base-cased": 28_996, "bert-base-uncased": 30_522}[name]
    return without_pooler(BertModel(BertConfig(vocab_size=words)))


def test_the_page_states_the_sizes_of_the_recipes_that_were_asked_for() -> None:
    stated = {name for name, _, _ in STATED}
    assert {"yu2020/umt-bert-crf", "chen2021/visualbert-tam-crf", "wang2022/ita-all-cva"} <= stated


@pytest.mark.parametrize(("name", "weights", "parts"), STATED, ids=[name for name, _, _ in STATED])
def test_the_network_has_so_many_weights(name: str, weights: str, parts: str) -> None:
    with torch.device("meta"):
        network = build_network(find_recipe(name), Parts(_public))
    assert f"{sum(parameter.numel() for parameter in network.parameters()):,}" == weights
    by_part = {
        f"{sum(parameter.numel() for parameter in part.parameters()):,}"
        for _, part in network.named_children()
    }
    large = re.findall(r"\d{1,3}(?:,\d{3})+", parts)
    assert set(large) <= by_part
