"""Spans without types: the conversion matrix by hand, eq. 7 as mended, and gold labels without types."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.conversion import SPAN_LABELS, Conversion, without_type
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.cross_modal import CrossModalLayer
from streamproc_mner.nn.inputs import Inputs, inputs_of
from streamproc_mner.nn.span_detection import SpanDetection
from streamproc_mner.nn.subtoken_labels import PAD, LabelPlacing
from streamproc_mner.windows import Window, pad

LABELS = bio_labels(["PER", "LOC"])
WIDTH = 4


def test_the_matrix_starts_as_the_correspondence_of_labels() -> None:
    weight = Conversion(SPAN_LABELS, LABELS, trained=True).weight
    # from O, B and I to O, B-PER, I-PER, B-LOC, I-LOC
    expected = [[1, 0, 0, 0, 0], [0, 0.5, 0, 0.5, 0], [0, 0, 0.5, 0, 0.5]]
    assert weight.tolist() == expected


def test_pad_corresponds_to_pad_alone() -> None:
    weight = Conversion((*SPAN_LABELS, PAD), (*LABELS, PAD), trained=True).weight
    assert weight[3].tolist() == [0, 0, 0, 0, 0, 1]
    assert weight[:, 5].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("trained", [True, False])
def test_only_a_trained_matrix_learns_and_is_saved(trained: bool) -> None:
    conversion = Conversion(SPAN_LABELS, LABELS, trained=trained)
    assert [name for name, _ in conversion.named_parameters()] == ["weight"] * trained
    assert list(conversion.state_dict()) == ["weight"] * trained


def test_a_labels_share_is_summed_over_span_labels() -> None:
    conversion = Conversion(SPAN_LABELS, LABELS, trained=True).double()
    with torch.no_grad():
        conversion.weight.normal_()
    emissions = torch.randn(2, 3, len(SPAN_LABELS), dtype=torch.float64)
    found = conversion(emissions)
    for row in range(2):
        for place in range(3):
            for y in range(len(LABELS)):
                expected = 0.0
                for z in range(len(SPAN_LABELS)):
                    expected += emissions[row, place, z].item() * conversion.weight[z, y].item()
                assert found[row, place, y].item() == pytest.approx(expected, abs=1e-12)
    given = emissions.requires_grad_()
    assert torch.autograd.gradcheck(lambda *_: conversion(given), (given, conversion.weight))


def test_at_first_it_is_eq_7_with_the_right_span_label() -> None:
    conversion = Conversion(SPAN_LABELS, LABELS, trained=True)
    emissions = torch.randn(1, 1, len(SPAN_LABELS))
    found = conversion(emissions)[0, 0]
    for y, label in enumerate(LABELS):
        z = SPAN_LABELS.index(without_type(label))
        printed = emissions[0, 0, z] * conversion.weight[z, y]
        assert found[y].item() == pytest.approx(printed.item())


def _module(placing: LabelPlacing) -> SpanDetection:
    torch.manual_seed(0)
    return SpanDetection(CrossModalLayer(WIDTH, 2, 8, 0.0), WIDTH, LABELS, placing)


def _inputs() -> Inputs:
    """Posts of two words, of two sub-tokens and one, and of one word of one."""
    ids, shapes = np.ones(5, np.int64), np.zeros((5, 3), np.int64)
    windows = [
        Window(ids, 0 * ids, shapes, np.array([1, 3]), np.array([0, 1]), slice(None)),
        Window(ids[:3], 0 * ids[:3], shapes[:3], np.array([1]), np.array([0]), slice(None)),
    ]
    return inputs_of(pad(windows))


def test_gold_labels_lose_their_types() -> None:
    module, inputs = _module("first"), _inputs()
    emissions = torch.randn(2, 5, len(SPAN_LABELS))
    gold = torch.tensor([[LABELS.index("B-LOC"), LABELS.index("I-LOC")], [UNKNOWN, 0]])
    spans = torch.tensor([[SPAN_LABELS.index("B-SPAN"), SPAN_LABELS.index("I-SPAN")], [UNKNOWN, 0]])
    expected = module.crf.log_likelihood(emissions[:, [1, 3]], spans, inputs.words)
    found = module.log_likelihood(emissions, gold, inputs)
    torch.testing.assert_close(found, expected)
    assert found[1].item() == pytest.approx(0.0, abs=1e-6)
    other = torch.tensor([[LABELS.index("B-PER"), LABELS.index("I-PER")], [UNKNOWN, 0]])
    torch.testing.assert_close(module.log_likelihood(emissions, other, inputs), found)


def test_with_pads_its_crf_runs_over_all_sub_tokens() -> None:
    module, inputs = _module("pad-as-authors"), _inputs()
    assert module.labels == (*SPAN_LABELS, PAD)
    emissions = torch.randn(2, 5, len(module.labels))
    gold = torch.tensor([[LABELS.index("B-LOC"), 0], [0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    placed = torch.tensor([[SPAN_LABELS.index("B-SPAN"), 3, 0], [0, 0, 0]])
    expected = module.crf.log_likelihood(emissions[:, 1:4], placed, mask)
    torch.testing.assert_close(module.log_likelihood(emissions, gold, inputs), expected)


def test_it_reads_the_text_in_its_own_layer() -> None:
    module = _module("first")
    encoded, mask = torch.randn(1, 5, WIDTH), torch.tensor([[True, True, True, False, False]])
    hidden, _ = module.layer(encoded[:, :3], encoded[:, :3], mask[:, :3])
    expected = hidden @ module.output.weight.T + module.output.bias
    torch.testing.assert_close(module(encoded, mask)[:, :3], expected)
