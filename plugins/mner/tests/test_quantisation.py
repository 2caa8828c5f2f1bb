"""Static 8-bit integers: rounding by plain loops, outliers, batches, and the check before serving."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from transformers import AutoModel

from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.visual_context import Segment
from streamproc_mner.decoding import Decoder
from streamproc_mner.exporting.onnx_file import export_onnx, round_to_half
from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.onnx_tagger import OnnxNetwork
from streamproc_mner.quantisation.input_plan import APART, InputPlan, column_steps, plan_input
from streamproc_mner.quantisation.int8 import quantise
from streamproc_mner.quantisation.linear_layers import in_single, linear_layers
from streamproc_mner.quantisation.rounded_matrix import round_matrix
from streamproc_mner.quantisation.seen_inputs import seen_inputs
from streamproc_mner.self_check import expectations, fault_of
from streamproc_mner.tagging import Floats, Network, Scores
from streamproc_mner.windows import Batch, Limits, Window, pad
from streamproc_mner.words import words_of

LABELS = bio_labels(ENTITY_TYPES)
LIMITS = Limits(window=48, overlap=12, context=20)
NO_CHANNELS = np.zeros(0, np.int64)
TEXTS = [
    "kevin durant in paris",
    "rt the news of london at nasa",
    "harry potter is a dog , not a man",
    "google stadium",
    "x",
] * 8


@dataclass(frozen=True)
class Made:
    """An exported network and its 8-bit file."""

    exact: Path
    quick: Path
    encoder: PostEncoder
    decoder: Decoder
    windows: list[Window]


@pytest.fixture(scope="module")
def made(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(1)
    pretrained = AutoModel.from_pretrained(
        tiny_encoder, add_pooling_layer=False, attn_implementation="eager"
    )
    settings = ContextTaggerSettings(context=("captions",), kind_embedding=True, word_shapes=True)
    network = ContextTagger(settings, LABELS, Parts(lambda role, name: pretrained)).eval()
    torch.nn.init.normal_(network.output.weight, std=0.5)
    round_to_half(network)
    export_onnx(network, folder / "model.onnx")
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", LIMITS)
    contexts = [[Segment("captions", "a photo of a dog")] if i % 2 else [] for i in range(len(TEXTS))]
    windows = [post.windows[0] for post in encoder.encode([words_of(text) for text in TEXTS], contexts)]
    quantise(folder / "model.onnx", windows, folder / "quick.onnx")
    decoder = Decoder(LABELS, network.crf_scores)
    return Made(folder / "model.onnx", folder / "quick.onnx", encoder, decoder, windows)


def _emissions(path: Path, windows: list[Window]) -> list[Floats]:
    scored = OnnxNetwork(path, threads=1).score(pad(windows), None).emissions
    return [row[: len(window.firsts)] for row, window in zip(scored, windows, strict=True)]


def test_an_input_is_rounded_to_the_nearest_of_256_values() -> None:
    plan = InputPlan(np.array([1.0, 2.0], np.float32), NO_CHANNELS, -1.0, 3.0)
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32) * 3
    step = 4 / 255
    zero = round(1 / step)
    for row, found in zip(rows.tolist(), plan.rounded(rows).tolist(), strict=True):
        for value, divisor, got in zip(row, (1.0, 2.0), found, strict=True):
            nearest = min(range(256), key=lambda k, v=value / divisor: abs((k - zero) * step - v))
            assert got == pytest.approx((nearest - zero) * step, abs=1e-5)


def test_zero_stays_zero() -> None:
    for low, high in ((-0.17, 24.3), (0.0, 1.0), (-5.0, 0.0), (0.0, 0.0)):
        assert InputPlan(None, NO_CHANNELS, low, high).rounded(np.zeros((1, 3), np.float32)).tolist() == [
            [0.0] * 3
        ]


def _error(plan: InputPlan, rows: Floats, matrix: Floats) -> float:
    """Of x W with plain rounding of W."""
    scaled = plan.scaled(matrix)
    steps = column_steps(scaled)
    found = plan.rounded(rows) @ (np.rint(scaled / steps) * steps)
    found += rows[:, plan.apart] @ matrix[plan.apart]
    return float(np.mean((found - rows @ matrix) ** 2))


def _with_outliers(width: int, outputs: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng(3)
    rows = random.normal(size=(400, width)).astype(np.float32)
    rows[:, [5, 17]] *= 60
    return rows, random.normal(size=(width, outputs)).astype(np.float32)


@pytest.mark.parametrize(("width", "outputs", "apart"), [(64, 16, True), (64, 64, False)])
def test_channels_that_dwarf_the_rest_do_not_spoil_it(width: int, outputs: int, apart: bool) -> None:
    rows, matrix = _with_outliers(width, outputs)
    plan = plan_input(rows, matrix)
    plain = InputPlan(None, NO_CHANNELS, float(rows.min()), float(rows.max()))
    assert _error(plan, rows, matrix) < _error(plain, rows, matrix) / 20
    if apart:
        assert {5, 17} <= set(plan.apart.tolist())
        assert len(plan.apart) == APART
    else:
        assert plan.divisors is not None
        assert set(np.argsort(-plan.divisors)[:2].tolist()) == {5, 17}


def test_an_even_input_is_left_alone() -> None:
    random = np.random.default_rng(4)
    rows = random.uniform(-1, 1, (400, 32)).astype(np.float32)
    plan = plan_input(rows, random.uniform(-1, 1, (32, 32)).astype(np.float32))
    assert plan.divisors is None
    assert not len(plan.apart)


def test_rounding_row_by_row_gives_less_error_than_to_the_nearest() -> None:
    random = np.random.default_rng(5)
    mixed = random.normal(size=(24, 96))
    rows = (random.normal(size=(500, 24)) @ mixed).astype(np.float32)  # 96 channels that move together
    matrix = random.normal(size=(96, 40)).astype(np.float32)
    rounded, steps = round_matrix(matrix, rows)
    nearest = np.clip(np.rint(matrix / steps), -127, 127)
    assert rounded.dtype == np.int8
    errors = [float(np.mean((rows @ (q * steps) - rows @ matrix) ** 2)) for q in (rounded, nearest)]
    assert errors[0] < errors[1] / 4


def test_a_matrix_of_zeros_and_inputs_of_zeros_are_no_trouble() -> None:
    rounded, steps = round_matrix(np.zeros((8, 3), np.float32), np.zeros((5, 8), np.float32))
    assert not rounded.any()
    assert (steps > 0).all()


def test_what_layers_read_is_seen_without_padding(made: Made) -> None:
    model = onnx.load(made.exact)
    in_single(model)
    layers = linear_layers(model)
    assert len(layers) == 2 * 6  # two blocks; the layer of the emissions is too small
    name = layers[0].input
    one = next(window for window in made.windows if len(window.ids) < 10)
    padded_beside = [one, max(made.windows, key=lambda window: len(window.ids))]
    ((_, alone),) = seen_inputs(model, [name], [one], 0)
    ((_, together),) = seen_inputs(model, [name], padded_beside, 0)
    assert len(alone) == len(one.ids)
    assert len(together) == sum(len(window.ids) for window in padded_beside)


def test_layers_and_tables_are_stored_as_integers(made: Made) -> None:
    graph = onnx.load(made.quick).graph
    sizes = {np.dtype(np.int8): 0, np.dtype(np.float32): 0}
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        sizes[values.dtype] = sizes.get(values.dtype, 0) + values.size
    assert sizes[np.dtype(np.int8)] > 5 * sizes[np.dtype(np.float32)]
    constants = {tensor.name for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in constants]
    assert len(products) == 1 + sum(node.input[0].endswith(".apart") for node in products)


def test_emissions_stay_near_those_in_single_precision(made: Made) -> None:
    exact, quick = _emissions(made.exact, made.windows), _emissions(made.quick, made.windows)
    errors = np.concatenate(exact) - np.concatenate(quick)
    assert 0 < math.sqrt(float(np.mean(errors**2))) < 0.03 * float(np.concatenate(exact).std())


def test_a_post_has_the_same_emissions_in_any_batch(made: Made) -> None:
    together = _emissions(made.quick, made.windows)
    for window, found in zip(made.windows[:5], together, strict=False):
        np.testing.assert_allclose(_emissions(made.quick, [window])[0], found, atol=1e-4)


class _Changed(Network):
    """A network whose emissions are changed by a factor, and in batches by a little more."""

    def __init__(self, path: Path, factor: float, in_batches: float = 0.0) -> None:
        self._network = OnnxNetwork(path, threads=1)
        self._factor, self._in_batches = factor, in_batches

    def score(self, batch: Batch, pictures: None) -> Scores:
        emissions = self._network.score(batch, None).emissions
        return Scores(emissions * self._factor + self._in_batches * (len(batch.ids) - 1))


def test_a_file_that_computes_as_where_it_was_made_is_relied_on(made: Made) -> None:
    network = OnnxNetwork(made.quick, threads=1)
    stored = expectations(network, made.encoder, made.decoder)
    assert fault_of(network, stored, made.encoder, made.decoder) is None
    assert fault_of(_Changed(made.quick, 1.0001), stored, made.encoder, made.decoder) is None


def test_a_file_that_computes_otherwise_is_not_relied_on(made: Made) -> None:
    network = OnnxNetwork(made.quick, threads=1)
    stored = expectations(network, made.encoder, made.decoder)
    for changed, fault in (
        (_Changed(made.quick, 0.7), "off what they were where it was made"),
        (_Changed(made.quick, 1.0, in_batches=1e-3), "depend on its batch, by 0.0"),
        (_Changed(made.quick, math.nan), "depend on its batch"),
    ):
        assert fault in (fault_of(changed, stored, made.encoder, made.decoder) or "")
    for wrong in ("", "[]", "{"):
        assert fault_of(network, wrong, made.encoder, made.decoder) is not None
    labels = json.loads(stored)
    labels[0]["labels"][0] = (labels[0]["labels"][0] + 1) % len(LABELS)
    fault = fault_of(network, json.dumps(labels), made.encoder, made.decoder)
    assert fault == "its labels are not those that it gave where it was made"
