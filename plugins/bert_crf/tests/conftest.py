"""A tiny random network and its saved model, with either head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from streamproc_bert_crf.tagger import BertTagger
from streamproc_mner.nn.stored import save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.windows import Limits

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
KINDS = ("alt", "captions")
LIMITS = Limits(window=48, overlap=12, context=20)

Make = Callable[[str], BertTagger]
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

    def make(head: str) -> BertTagger:
        torch.manual_seed(3)
        settings = BertTagger.Settings.model_validate({"head": head, "context": KINDS})
        parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(tiny_encoder)))
        network = BertTagger(settings, LABELS, parts).eval()
        torch.nn.init.normal_(network.output.weight, std=0.2)
        return network

    return make


@pytest.fixture(scope="session")
def save(tiny_encoder: Path) -> Save:
    """Saves a network in a folder."""

    def save(network: BertTagger, folder: Path) -> Path:
        save_tagger(
            network,
            folder,
            plugin="bert-crf",
            name="tiny",
            tokenizer=tiny_encoder / "tokenizer.json",
            vocabulary=None,
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
    return save(network, tmp_path_factory.mktemp("saved") / network.settings.head)
