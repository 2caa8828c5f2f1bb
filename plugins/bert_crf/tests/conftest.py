"""A tiny random network and its saved model, with either head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from streamproc_bert_crf.stored import save_bert_tagger
from streamproc_bert_crf.tagger import BertTagger, Head
from streamproc_mner.collate import Limits

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
LIMITS = Limits(window=48, overlap=12, context=20)

Make = Callable[[Head], BertTagger]
Save = Callable[[BertTagger, Path], Path]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on more threads than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make(tiny_encoder: Path) -> Make:
    """Makes networks, random and telling labels apart."""

    def make(head: Head) -> BertTagger:
        torch.manual_seed(3)
        # With the pooler that transformers adds, as whoever trains a model may have it.
        network = BertTagger(AutoModel.from_pretrained(tiny_encoder), LABELS, head).eval()
        torch.nn.init.normal_(network.output.weight, std=0.2)
        return network

    return make


@pytest.fixture(scope="session")
def save(tiny_encoder: Path) -> Save:
    """Saves a network in a folder."""

    def save(network: BertTagger, folder: Path) -> Path:
        save_bert_tagger(
            network,
            folder,
            name="tiny",
            labels=LABELS,
            tokenizer=tiny_encoder / "tokenizer.json",
            kinds=("alt", "captions"),
            limits=LIMITS,
            metrics={},
            card="# tiny\n",
        )
        return folder

    return save


@pytest.fixture(scope="session", params=["crf", "softmax"])
def network(make: Make, request: pytest.FixtureRequest) -> BertTagger:
    return make(request.param)


@pytest.fixture(scope="session")
def folder(network: BertTagger, save: Save, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(network, tmp_path_factory.mktemp("saved") / network.head)
