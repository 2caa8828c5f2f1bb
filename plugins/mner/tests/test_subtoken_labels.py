"""Labels on sub-tokens: the likelihood with PAD by enumeration, and what is served of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from streamproc.fusion.api import FusionInput, Tagging
from streamproc_mner.collate import PostEncoder
from streamproc_mner.decoding import Decoder
from streamproc_mner.nn.crf import CRF, UNKNOWN
from streamproc_mner.nn.inputs import Inputs, at_words, inputs_of
from streamproc_mner.nn.subtoken_labels import PAD, FirstSubtokens, PaddedSubtokens
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.tagging import Network, Scores, TaggerModel
from streamproc_mner.windows import Batch, Limits, Window, pad

LABELS = ("O", "B-PER", "I-PER")
COUNT = len(LABELS) + 1
# How many sub-tokens each word has, and how many the context behind the post.
WINDOWS = (((2, 1), 0), ((1,), 3), ((1, 2, 1), 2), ((3,), 0))
GOLD = ((1, 2), (0,), (1, UNKNOWN, 0), (UNKNOWN,))


def _window(sizes: Sequence[int], context: int) -> Window:
    length = sum(sizes) + 2 + context
    firsts = np.cumsum([1, *sizes])[: len(sizes)]
    kinds = np.repeat([0, 1], [length - context, context])
    shapes = np.zeros((length, 3), np.int64)
    return Window(np.ones(length, np.int64), kinds, shapes, firsts, np.arange(len(sizes)), slice(None))


@pytest.fixture
def inputs() -> Inputs:
    return inputs_of(pad([_window(sizes, context) for sizes, context in WINDOWS]))


@pytest.fixture
def emissions(inputs: Inputs) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(*inputs.ids.shape, COUNT, dtype=torch.float64, generator=generator)


@pytest.fixture
def gold(inputs: Inputs) -> Tensor:
    gold = torch.zeros(inputs.words.shape, dtype=torch.int64)
    for row, labels in enumerate(GOLD):
        gold[row, : len(labels)] = torch.tensor(labels)
    return gold


@pytest.fixture
def crf() -> CRF:
    return _random_crf((*LABELS, PAD)).double()


def _random_crf(labels: Sequence[str]) -> CRF:
    torch.manual_seed(5)
    crf = CRF(labels)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    return crf.requires_grad_(False)


def _weight(crf: CRF, emissions: Tensor, path: Sequence[int]) -> float:
    """exp(score) of labels for the sub-tokens of a post, which stand behind [CLS]."""
    score = float(crf.start[path[0]]) + float(crf.end[path[-1]])
    score += sum(float(emissions[place, label]) for place, label in enumerate(path, start=1))
    score += sum(float(crf.transitions[a, b]) for a, b in itertools.pairwise(path))
    return math.exp(score)


def test_the_likelihood_is_that_of_the_posts_sub_tokens_with_pads(
    crf: CRF, inputs: Inputs, emissions: Tensor, gold: Tensor
) -> None:
    found = PaddedSubtokens(LABELS).log_likelihood(crf, emissions, gold, inputs)
    for row, ((sizes, _), labels) in enumerate(zip(WINDOWS, GOLD, strict=True)):
        wanted = []  # at each sub-token, the labels that agree with the gold ones
        for size, label in zip(sizes, labels, strict=True):
            known = range(len(LABELS)) if label == UNKNOWN else [label]
            wanted += [known, *[[len(LABELS)]] * (size - 1)]
        every = itertools.product(range(COUNT), repeat=sum(sizes))
        total = sum(_weight(crf, emissions[row], path) for path in every)
        agree = sum(_weight(crf, emissions[row], path) for path in itertools.product(*wanted))
        assert found[row].item() == pytest.approx(math.log(agree / total), abs=1e-9)


def test_its_gradient(crf: CRF, inputs: Inputs, emissions: Tensor, gold: Tensor) -> None:
    scheme = PaddedSubtokens(LABELS)
    assert torch.autograd.gradcheck(
        lambda given: scheme.log_likelihood(crf, given, gold, inputs), (emissions.requires_grad_(),)
    )


def test_words_alone_are_served_and_those_with_pads_behind_them_are_named(
    inputs: Inputs, emissions: Tensor
) -> None:
    output = PaddedSubtokens(LABELS).output(emissions, inputs)
    assert output.joined is not None
    joined = [row[words].tolist() for row, words in zip(output.joined, inputs.words, strict=True)]
    assert joined == [[True, False], [False], [False, True, False], [True]]
    assert not output.joined[~inputs.words].any()
    for row, (sizes, _) in enumerate(WINDOWS):
        place = 1
        for word, size in enumerate(sizes):
            assert torch.equal(output.emissions[row, word], emissions[row, place, : len(LABELS)])
            place += size


def test_a_window_without_words_has_finite_scores(crf: CRF) -> None:
    inputs = inputs_of(pad([_window((), 0), _window((2,), 0)]))
    scheme = PaddedSubtokens(LABELS)
    emissions = torch.randn(*inputs.ids.shape, COUNT, dtype=torch.float64)
    output = scheme.output(emissions, inputs)
    assert output.joined is not None
    assert output.joined.tolist() == [[False], [True]]
    gold = torch.zeros(inputs.words.shape, dtype=torch.int64)
    assert scheme.log_likelihood(crf, emissions, gold, inputs).isfinite().all()
    alone = inputs_of(pad([_window((), 0)]))
    assert scheme.log_likelihood(crf, emissions[:1, :2], gold[:1], alone).isfinite().all()


def test_with_first_sub_tokens_the_crf_sees_words_alone(inputs: Inputs, gold: Tensor) -> None:
    scheme, crf = FirstSubtokens(LABELS), _random_crf(LABELS)
    emissions = torch.randn(*inputs.ids.shape, len(LABELS))
    of_words = at_words(emissions, inputs.firsts)
    output = scheme.output(emissions, inputs)
    assert torch.equal(output.emissions, of_words)
    assert output.joined is None
    expected = crf.log_likelihood(of_words, gold, inputs.words)
    assert torch.equal(scheme.log_likelihood(crf, emissions, gold, inputs), expected)
    assert scheme.scores(crf).pad is None


class _Table(Network):
    """Emissions that depend on the sub-token alone, whatever window it is in."""

    def __init__(self, scheme: PaddedSubtokens, size: int) -> None:
        self._scheme = scheme
        self._table = 2 * torch.randn(size, COUNT, generator=torch.Generator().manual_seed(6))

    def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        inputs = inputs_of(batch)
        output = self._scheme.output(self._table[inputs.ids], inputs)
        assert output.joined is not None
        return Scores(output.emissions.numpy(), output.joined.numpy())


def _tag(tiny_encoder: Path, limits: Limits, text: str) -> Tagging:
    scheme = PaddedSubtokens(LABELS)
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", limits)
    model = TaggerModel(
        _Table(scheme, 500),
        encoder,
        Decoder(LABELS, scheme.scores(_random_crf((*LABELS, PAD)))),
        kinds=(),
        batch_tokens=256,
        handles=True,
        name="table",
        version="0",
    )
    return model.tag([FusionInput(text)])[0]


# Windows of several words, of one or two, and without overlap.
@pytest.mark.parametrize("limits", [Limits(24, 6), Limits(14, 6, word=8), Limits(14, 0)])
def test_a_post_in_many_windows_is_decoded_as_one(tiny_encoder: Path, limits: Limits) -> None:
    text = "paris zebra of xylophones kevin quartzes durant in yttrium oaks " * 3
    whole = _tag(tiny_encoder, Limits(word=limits.word), text)
    cut = _tag(tiny_encoder, limits, text)
    assert len(whole.entities) > 3
    assert [(e.start, e.end) for e in cut.entities] == [(e.start, e.end) for e in whole.entities]
    np.testing.assert_allclose(cut.confidence, whole.confidence, atol=1e-9)
    scores = [[e.score for e in tagging.entities] for tagging in (cut, whole)]
    np.testing.assert_allclose(*scores, atol=1e-9)
