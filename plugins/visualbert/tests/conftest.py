"""A tiny VisualBERT, and the family's networks on it and on the tiny BERT, random and saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, BertConfig, VisualBertConfig, VisualBertModel

from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.stored import save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.windows import Limits
from streamproc_visualbert.tagger import VisualBertTagger

LABELS = bio_labels(ENTITY_TYPES)
LIMITS = Limits(window=48, overlap=12, context=20)
WIDTH = 12
VARIANTS: dict[str, dict[str, Any]] = {
    "text": {},
    "regions": {"picture": "regions", "picture_width": WIDTH},
    "captions": {"context": ("captions",)},
    "all": {"picture": "regions", "picture_width": WIDTH, "context": ("alt", "ocr", "captions")},
    "beside-bert": {"picture": "regions", "picture_width": WIDTH, "text_encoder": "bert"},
}

Make = Callable[..., VisualBertTagger]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on more threads than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_visualbert(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random VisualBERT of the tiny BERT's sizes and sub-tokens, for regions of 10."""
    torch.manual_seed(0)
    sizes = BertConfig.from_pretrained(tiny_encoder)
    config = VisualBertConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.num_hidden_layers,
        num_attention_heads=sizes.num_attention_heads,
        intermediate_size=sizes.intermediate_size,
        max_position_embeddings=sizes.max_position_embeddings,
        visual_embedding_dim=10,
        initializer_range=0.3,
        pad_token_id=0,
    )
    folder = tmp_path_factory.mktemp("visualbert")
    VisualBertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make(tiny_encoder: Path, tiny_visualbert: Path) -> Make:
    """Makes networks, random and telling labels apart."""
    folders = {"text": tiny_encoder, "vision-language": tiny_visualbert}

    def make(**settings: Any) -> VisualBertTagger:
        torch.manual_seed(2)
        parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(folders[role])))
        chosen = VisualBertTagger.Settings.model_validate(settings)
        network = VisualBertTagger(chosen, LABELS, parts).eval()
        torch.nn.init.normal_(network.output.weight, std=0.2)
        return network

    return make


@pytest.fixture(scope="session")
def networks(make: Make) -> dict[str, VisualBertTagger]:
    """A network of each variant."""
    return {name: make(**settings) for name, settings in VARIANTS.items()}


@pytest.fixture(scope="session")
def folders(
    networks: dict[str, VisualBertTagger], tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The saved models of all variants."""
    root = tmp_path_factory.mktemp("saved")
    for name, network in networks.items():
        save_tagger(
            network,
            root / name,
            plugin="visualbert",
            name="tiny",
            tokenizer=tiny_encoder / "tokenizer.json",
            vocabulary=None,
            limits=LIMITS,
            metrics={},
            card="# tiny\n",
        )
    return {name: root / name for name in networks}
