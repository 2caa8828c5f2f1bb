"""`labels = pad-as-authors`: trained over all sub-tokens, served as exactly that CRF over words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from tokenizers import Tokenizer
from transformers import AutoModel

from streamproc.fusion.api import FusionInput, FusionModel
from streamproc.testing.contract import CHECKS
from streamproc_bert_crf.plugin import BertCrf
from streamproc_bert_crf.tagger import BertCrfSettings, BertTagger
from streamproc_mner.collate import PostEncoder
from streamproc_mner.labels import may_follow, spans_of
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.stored import without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_mner.training.batches import view_of
from streamproc_mner.windows import Limits
from streamproc_mner.words import words_of

LABELS = ("O", "B-PER", "I-PER")
PAD = len(LABELS)
TEXTS = ("paris oh photo", "nah paris ox", "kevin durant at me", "ox", "paris london news", "hm ox ey")

Save = Callable[[BertTagger, Path], Path]


def _make(tiny_encoder: Path, **settings: object) -> BertTagger:
    torch.manual_seed(4)
    parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(tiny_encoder)))
    chosen = BertCrfSettings.model_validate({"labels": "pad-as-authors", **settings})
    network = BertTagger(chosen, LABELS, parts).eval()
    with torch.no_grad():
        network.output.weight.normal_(std=0.3)
        network.output.bias += torch.tensor([-2.0, 1.0, 1.0, 0.0])[: len(network.output.bias)]
        for scores in network.crf.parameters():
            scores.normal_()
    return network


@pytest.fixture(scope="module")
def network(tiny_encoder: Path) -> BertTagger:
    return _make(tiny_encoder)


@pytest.fixture(scope="module")
def model(network: BertTagger, save: Save, tmp_path_factory: pytest.TempPathFactory) -> TaggerModel:
    folder = save(network, tmp_path_factory.mktemp("pad") / "model")
    return BertCrf(TorchTaggerConfig()).load(folder, "cpu")


def _view(tiny_encoder: Path, *texts: str) -> Inputs:
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", Limits())
    return view_of(encoder.encode([words_of(text) for text in texts], [()] * len(texts)))


def _weights(
    network: BertTagger, tiny_encoder: Path, text: str
) -> tuple[dict[tuple[int, ...], float], list[int]]:
    """What each sequence of sub-token labels of a post weighs, and where its words begin."""
    tokenizer = Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))
    sizes = [len(tokenizer.encode(word, add_special_tokens=False).ids) for word in text.split()]
    inputs = _view(tiny_encoder, text)
    with torch.no_grad():
        every = network.position_emissions(inputs.ids, inputs.mask, inputs.kinds, inputs.shapes)
    emissions = every[0, 1 : 1 + sum(sizes)].tolist()
    crf = network.crf
    start, transitions, end = crf.start.tolist(), crf.transitions.tolist(), crf.end.tolist()
    weights = {}
    for path in itertools.product(range(PAD + 1), repeat=sum(sizes)):
        score = start[path[0]] + end[path[-1]]
        score += sum(scores[label] for scores, label in zip(emissions, path, strict=True))
        score += sum(transitions[a][b] for a, b in itertools.pairwise(path))
        weights[path] = math.exp(score)
    return weights, [sum(sizes[:word]) for word in range(len(sizes))]


def test_a_post_is_tagged_as_its_sub_tokens_would_be(
    network: BertTagger, model: TaggerModel, tiny_encoder: Path
) -> None:
    entities = 0
    for text, tagging in zip(TEXTS, model.tag([FusionInput(text) for text in TEXTS]), strict=True):
        weights, firsts = _weights(network, tiny_encoder, text)
        of_words: dict[tuple[int, ...], float] = {}
        for path, weight in weights.items():
            words = tuple(path[place] for place in firsts)
            pads = [label == PAD for label in path]
            names = [LABELS[label] for label in words if label != PAD]
            if pads == [place not in firsts for place in range(len(path))] and all(
                may_follow(a, b) for a, b in zip([None, *names], names, strict=False)
            ):
                of_words[words] = weight
        total = sum(of_words.values())
        best = max(of_words, key=of_words.__getitem__)
        starts = [word.start for word in words_of(text)]
        found = [(starts.index(e.start), e.type, e.score) for e in tagging.entities]
        spans = spans_of([LABELS[label] for label in best])
        assert [entity[:2] for entity in found] == [(span.start, span.type) for span in spans]
        for span, (_, _, score) in zip(spans, found, strict=True):
            share = sum(
                weight for path, weight in of_words.items() if span in spans_of([LABELS[x] for x in path])
            )
            assert score == pytest.approx(share / total, abs=1e-4)
        for place, confidence in enumerate(tagging.confidence):
            share = sum(weight for path, weight in of_words.items() if path[place] == best[place])
            assert confidence == pytest.approx(share / total, abs=1e-4)
        entities += len(spans)
    assert entities > 2


def test_the_loss_is_over_all_sub_tokens(network: BertTagger, tiny_encoder: Path) -> None:
    text, other = "nah paris ox", "paris"
    gold = torch.tensor([[1, 2, 0], [1, 0, 0]])
    losses = []
    for post, known in ((text, (1, PAD, PAD, 2, 0, PAD)), (other, (1,))):
        weights, _ = _weights(network, tiny_encoder, post)
        losses.append(-math.log(weights[known] / sum(weights.values())))
    found = network.loss(_view(tiny_encoder, text, other), gold)
    assert found.item() == pytest.approx(sum(losses) / 2, abs=1e-4)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[FusionModel], None], model: FusionModel) -> None:
    check(model)


@pytest.mark.parametrize("labels", ["first", "pad-as-authors"])
@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_it_learns_names_that_are_spelled_in_pieces(
    tiny_encoder: Path, save: Save, tmp_path: Path, labels: str, head: str
) -> None:
    network = _make(tiny_encoder, labels=labels, head=head)
    texts = ["ox at zed", "the zed is ox", "nah zed um", "zed zed at noon"]
    gold = torch.tensor([[0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0], [1, 2, 0, 0]])
    inputs = _view(tiny_encoder, *texts)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        network.loss(inputs, gold).backward()
        optimizer.step()
    model = BertCrf(TorchTaggerConfig()).load(save(network, tmp_path / "learnt"), "cpu")
    found = [[e.text for e in tagging.entities] for tagging in model.tag([FusionInput(x) for x in texts])]
    assert found == [["zed"], ["zed"], ["zed"], ["zed zed"]]


def test_first_sub_tokens_are_the_default() -> None:
    assert BertCrfSettings().labels == "first"
    with pytest.raises(ValidationError, match="'first' or 'pad-as-authors'"):
        BertCrfSettings.model_validate({"labels": "last"})
