"""The torch CRF against enumeration for all short sequences: values, gradients, half precision."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from streamproc_mner.labels import may_follow
from streamproc_mner.nn.crf import CRF, UNKNOWN

LABELS = (
    ("O", "B-PER", "I-PER"),
    ("O", "B-PER", "I-PER", "PAD"),
    ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
)
LENGTHS = (1, 2, 3, 4)


@pytest.fixture(params=LABELS, ids=lambda labels: f"{len(labels)}-labels")
def labels(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.fixture
def crf(labels: tuple[str, ...]) -> CRF:
    torch.manual_seed(len(labels))
    crf = CRF(labels).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    return crf


@pytest.fixture
def emissions(labels: tuple[str, ...]) -> Tensor:
    """One post of each length, the short ones with noise at their padding."""
    generator = torch.Generator().manual_seed(9)
    return 2 * torch.randn(
        len(LENGTHS), max(LENGTHS), len(labels), dtype=torch.float64, generator=generator
    )


@pytest.fixture
def mask() -> Tensor:
    return torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)


def _sequences(labels: tuple[str, ...], length: int, *, allowed: bool = False) -> Tensor:
    """(P, length): all label sequences, or those that BIO allows."""
    every = itertools.product(range(len(labels)), repeat=length)
    kept = [path for path in every if not allowed or _is_allowed([labels[label] for label in path])]
    return torch.tensor(kept)


def _is_allowed(names: list[str]) -> bool:
    return all(may_follow(before, label) for before, label in zip([None, *names], names, strict=False))


def _scores(crf: CRF, emissions: Tensor, paths: Tensor) -> Tensor:
    """(P,): the score of each sequence of one post, term by term; with gradient."""
    total = crf.start[paths[:, 0]] + crf.end[paths[:, -1]]
    for place in range(paths.shape[1]):
        total = total + emissions[place, paths[:, place]]
    for place in range(1, paths.shape[1]):
        total = total + crf.transitions[paths[:, place - 1], paths[:, place]]
    return total


def test_partition(crf: CRF, labels: tuple[str, ...], emissions: Tensor, mask: Tensor) -> None:
    found = crf.log_partition(emissions, mask)
    for row, length in enumerate(LENGTHS):
        expected = _scores(crf, emissions[row], _sequences(labels, length)).exp().sum().log()
        torch.testing.assert_close(found[row], expected)


@pytest.mark.parametrize("constrained", [False, True])
def test_posteriors(
    crf: CRF, labels: tuple[str, ...], emissions: Tensor, mask: Tensor, constrained: bool
) -> None:
    found = crf.log_posteriors(emissions, mask, constrained=constrained).exp()
    for row, length in enumerate(LENGTHS):
        paths = _sequences(labels, length, allowed=constrained)
        weights = _scores(crf, emissions[row], paths).exp()
        for place, label in itertools.product(range(length), range(len(labels))):
            share = weights[paths[:, place] == label].sum() / weights.sum()
            assert found[row, place, label].item() == pytest.approx(share.item(), abs=1e-9)


def test_viterbi(crf: CRF, labels: tuple[str, ...], emissions: Tensor, mask: Tensor) -> None:
    for turn in range(10):
        shuffled = emissions.roll(turn, dims=2) * (1 + turn / 5)
        found = crf.decode(shuffled, mask)
        for row, length in enumerate(LENGTHS):
            paths = _sequences(labels, length, allowed=True)
            best = paths[_scores(crf, shuffled[row], paths).argmax()]
            assert found[row].tolist() == [*best.tolist(), *[0] * (max(LENGTHS) - length)]


def _gold(crf: CRF) -> Tensor:
    """A label at each place, some not known."""
    count = len(crf.start)
    places = torch.arange(len(LENGTHS) * max(LENGTHS)).view(len(LENGTHS), -1)
    return torch.where(places % 3 == 1, UNKNOWN, places % count)


def test_likelihood_and_its_gradients(
    crf: CRF, labels: tuple[str, ...], emissions: Tensor, mask: Tensor
) -> None:
    gold = _gold(crf)
    given = emissions.clone().requires_grad_()
    learnt = [given, *crf.parameters()]
    expected = []
    for row, length in enumerate(LENGTHS):
        paths = _sequences(labels, length)
        weights = _scores(crf, given[row], paths).exp()
        known = gold[row, :length]
        agree = ((paths == known) | (known == UNKNOWN)).all(dim=1)
        expected.append((weights[agree].sum() / weights.sum()).log())
    wanted = torch.autograd.grad(torch.stack(expected).sum(), learnt)
    found = crf.log_likelihood(given, gold, mask)
    torch.testing.assert_close(found, torch.stack(expected))
    for gradient, by_enumeration in zip(torch.autograd.grad(found.sum(), learnt), wanted, strict=True):
        torch.testing.assert_close(gradient, by_enumeration)


def test_agreement_sums_over_all_that_agrees(
    crf: CRF, labels: tuple[str, ...], emissions: Tensor, mask: Tensor
) -> None:
    agrees = torch.rand(emissions.shape, generator=torch.Generator().manual_seed(4)) < 0.6
    agrees[..., 0] |= ~agrees.any(dim=-1)
    found = crf.log_agreement(emissions, agrees, mask)
    for row, length in enumerate(LENGTHS):
        paths = _sequences(labels, length)
        weights = _scores(crf, emissions[row], paths).exp()
        kept = agrees[row, torch.arange(length), paths].all(dim=1)
        torch.testing.assert_close(found[row].exp(), weights[kept].sum() / weights.sum())


def test_gradcheck_of_the_scores(crf: CRF, emissions: Tensor, mask: Tensor) -> None:
    gold = _gold(crf)
    parameters = tuple(crf.parameters())
    assert torch.autograd.gradcheck(lambda *_: crf.log_likelihood(emissions, gold, mask), parameters)
    assert torch.autograd.gradcheck(lambda *_: crf.log_posteriors(emissions, mask)[mask], parameters)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("whole", [False, True], ids=["emissions", "emissions-and-scores"])
def test_half_precision_is_computed_in_float32(
    labels: tuple[str, ...], crf: CRF, emissions: Tensor, mask: Tensor, precision: torch.dtype, whole: bool
) -> None:
    short = emissions.to(precision)
    given = crf.to(precision) if whole else crf.float()
    exact = CRF(labels).double()
    exact.load_state_dict(given.state_dict())
    gold = _gold(crf)
    for found, expected in (
        (given.log_likelihood(short, gold, mask), exact.log_likelihood(short.double(), gold, mask)),
        (given.log_partition(short, mask), exact.log_partition(short.double(), mask)),
        (given.log_posteriors(short, mask), exact.log_posteriors(short.double(), mask)),
    ):
        assert found.dtype is torch.float32
        torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(given.decode(short, mask), exact.decode(short.double(), mask))


def test_autocast_does_not_shorten_it(crf: CRF, emissions: Tensor, mask: Tensor) -> None:
    gold, single = _gold(crf), crf.float()
    expected = single.log_likelihood(emissions.float(), gold, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = single.log_likelihood(emissions.float(), gold, mask)
    torch.testing.assert_close(found, expected)
