"""The CRF in torch against enumeration of all label sequences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from streamproc_mner.labels import bio_labels, may_follow
from streamproc_mner.nn.crf import CRF, UNKNOWN

LABELS = bio_labels(["PER", "LOC"])
LENGTHS = (4, 1, 3)


@pytest.fixture
def crf() -> CRF:
    torch.manual_seed(0)
    crf = CRF(LABELS).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    return crf


@pytest.fixture
def emissions() -> Tensor:
    return torch.randn(len(LENGTHS), max(LENGTHS), len(LABELS), dtype=torch.float64, generator=_seeded(1))


@pytest.fixture
def mask() -> Tensor:
    return torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _sequences(length: int) -> Iterator[tuple[int, ...]]:
    return itertools.product(range(len(LABELS)), repeat=length)


def _allowed(sequence: tuple[int, ...]) -> bool:
    names = [LABELS[label] for label in sequence]
    return all(may_follow(before, label) for before, label in zip([None, *names], names, strict=False))


def _score(crf: CRF, emissions: Tensor, sequence: tuple[int, ...]) -> float:
    total = crf.start[sequence[0]].detach() + crf.end[sequence[-1]].detach()
    for position, label in enumerate(sequence):
        total = total + emissions[position, label]
    for before, label in itertools.pairwise(sequence):
        total = total + crf.transitions[before, label].detach()
    return float(total)


def test_partition_is_the_sum_over_all_sequences(crf: CRF, emissions: Tensor, mask: Tensor) -> None:
    found = crf.log_partition(emissions, mask)
    for row, length in enumerate(LENGTHS):
        total = sum(math.exp(_score(crf, emissions[row], sequence)) for sequence in _sequences(length))
        assert found[row].item() == pytest.approx(math.log(total), abs=1e-9)


@pytest.mark.parametrize("constrained", [False, True])
def test_posteriors_are_shares_of_the_sequences(
    crf: CRF, emissions: Tensor, mask: Tensor, constrained: bool
) -> None:
    found = crf.log_posteriors(emissions, mask, constrained=constrained).exp()
    for row, length in enumerate(LENGTHS):
        weights = {
            sequence: math.exp(_score(crf, emissions[row], sequence))
            for sequence in _sequences(length)
            if not constrained or _allowed(sequence)
        }
        total = sum(weights.values())
        for position, label in itertools.product(range(length), range(len(LABELS))):
            share = sum(weight for sequence, weight in weights.items() if sequence[position] == label)
            assert found[row, position, label].item() == pytest.approx(share / total, abs=1e-9)


def test_viterbi_finds_the_best_sequence_that_bio_allows(crf: CRF, mask: Tensor) -> None:
    for seed in range(20):
        emissions = torch.randn(*mask.shape, len(LABELS), dtype=torch.float64, generator=_seeded(seed))
        found = crf.decode(emissions, mask)
        for row, length in enumerate(LENGTHS):
            best = max(
                filter(_allowed, _sequences(length)),
                key=lambda sequence, row=row: _score(crf, emissions[row], sequence),  # type: ignore[misc]
            )
            assert tuple(found[row, :length].tolist()) == best
            assert not found[row, length:].any()


def test_likelihood_of_known_labels_is_that_of_their_sequence(
    crf: CRF, emissions: Tensor, mask: Tensor
) -> None:
    gold = torch.tensor([[1, 2, 0, 3], [0, 0, 0, 0], [3, 4, 4, 0]])
    found = crf.log_likelihood(emissions, gold, mask)
    partition = crf.log_partition(emissions, mask)
    for row, length in enumerate(LENGTHS):
        score = _score(crf, emissions[row], tuple(gold[row, :length].tolist()))
        assert found[row].item() == pytest.approx(score - partition[row].item(), abs=1e-9)


def test_likelihood_with_an_unknown_label_sums_over_it(crf: CRF, emissions: Tensor) -> None:
    mask = torch.ones(1, 3, dtype=torch.bool)
    gold = torch.tensor([[1, UNKNOWN, 0]])
    summed = sum(
        crf.log_likelihood(emissions[:1, :3], torch.tensor([[1, label, 0]]), mask).exp().item()
        for label in range(len(LABELS))
    )
    found = crf.log_likelihood(emissions[:1, :3], gold, mask).exp().item()
    assert found == pytest.approx(summed, abs=1e-9)


def test_gradients_of_likelihood_and_posteriors(crf: CRF, emissions: Tensor, mask: Tensor) -> None:
    gold = torch.tensor([[1, 2, UNKNOWN, 3], [0, 0, 0, 0], [3, 4, 4, 0]])
    given = emissions.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda scores: crf.log_likelihood(scores, gold, mask), (given,))
    assert torch.autograd.gradcheck(lambda scores: crf.log_posteriors(scores, mask)[mask], (given,))


def test_padding_changes_nothing(crf: CRF, emissions: Tensor, mask: Tensor) -> None:
    noise = torch.randn(emissions.shape, dtype=torch.float64, generator=_seeded(7)) * 50
    disturbed = torch.where(mask.unsqueeze(-1), emissions, noise)
    gold = torch.zeros(mask.shape, dtype=torch.int64)
    assert torch.equal(crf.log_likelihood(emissions, gold, mask), crf.log_likelihood(disturbed, gold, mask))
    assert torch.equal(crf.decode(emissions, mask), crf.decode(disturbed, mask))
    posteriors, with_noise = crf.log_posteriors(emissions, mask), crf.log_posteriors(disturbed, mask)
    assert torch.equal(posteriors[mask], with_noise[mask])
