"""The network: what is fused for each word, posts without pictures, the loss, what it explains."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from streamproc_bilstm_crf.tagger import BiLstmSettings, BiLstmTagger
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.inputs import Inputs, inputs_of
from streamproc_mner.pictures import Picture, PictureNeed, pad_pictures
from streamproc_mner.vocabulary import Vocabulary, WordEncoder
from streamproc_mner.windows import Limits, pad
from streamproc_mner.words import words_of

TEXTS = ("Kevin Durant visits Paris", "", "zebra", "no names in here , just rain")
LENGTHS = (4, 0, 1, 7)
SEEN = (True, True, False, True)

Make = Callable[..., BiLstmTagger]
Read = Callable[..., Inputs]


@pytest.fixture
def read(vocabulary: Vocabulary) -> Read:
    """Posts as a network reads them, those of `seen` with a picture."""

    def read(*texts: str, seen: tuple[bool, ...] = SEEN) -> Inputs:
        encoded = WordEncoder(vocabulary, Limits()).encode([words_of(text) for text in texts])
        rng = np.random.default_rng(5)
        vectors = [rng.standard_normal((1, 8)).astype(np.float32) for _ in texts]
        pictures = [
            Picture(vector, np.zeros((1, 4), np.float32)) if here else None
            for vector, here in zip(vectors, seen, strict=True)
        ]
        need = PictureNeed("global", 8, 1)
        return inputs_of(pad([post.windows[0] for post in encoded]), pad_pictures(pictures, need))

    return read


def _layer(layer: torch.nn.Module, vector: list[float], sigmoid: bool) -> list[float]:
    """tanh(W x + b) of a transform layer, or the sigmoid."""
    weight, bias = (parameter.tolist() for parameter in layer.parameters())
    sums = [
        b + sum(w * x for w, x in zip(row, vector, strict=True))
        for row, b in zip(weight, bias, strict=True)
    ]
    return [1 / (1 + math.exp(-total)) if sigmoid else math.tanh(total) for total in sums]


def _mean(network: BiLstmTagger, modalities: list[list[float]]) -> list[float]:
    """moon2018 eq. 4 for one word."""
    assert network.attention is not None
    weight, bias = (parameter.tolist() for parameter in network.attention.scores.parameters())
    joined = [x for vector in modalities for x in vector]
    scores = [
        1 / (1 + math.exp(-b - sum(w * x for w, x in zip(row, joined, strict=False))))
        for row, b in zip(weight, bias, strict=True)
    ][: len(modalities)]
    total = sum(map(math.exp, scores))
    return [
        sum(math.exp(a) / total * v[d] for a, v in zip(scores, modalities, strict=True)) for d in range(5)
    ]


def _modalities(network: BiLstmTagger, inputs: Inputs, row: int, place: int) -> list[list[float]]:
    assert network.words is not None
    assert network.characters is not None
    assert inputs.characters is not None
    assert inputs.picture is not None
    spelled = inputs.characters[row, place]
    alone = network.characters(spelled[spelled > 0][None, None])[0, 0]
    word = network.words.vectors.weight[inputs.ids[row, place]]
    given = [word.tolist(), alone.tolist(), inputs.picture.features[row, 0].tolist()]
    layers = list(network.transforms.values())
    sigmoid = network.settings.transform == "sigmoid"  # type: ignore[attr-defined]
    modalities = [_layer(layer, vector, sigmoid) for layer, vector in zip(layers, given, strict=True)]
    return modalities if SEEN[row] else modalities[:2]


def _emissions(network: BiLstmTagger, fused: list[list[float]]) -> Tensor:
    """Of one post's fused vectors; the LSTM is tested by itself."""
    states = network.lstm(torch.tensor([fused]), torch.ones(1, len(fused), dtype=torch.bool))
    return network.output(states)[0]


@pytest.mark.parametrize("transform", ["tanh", "sigmoid"])
def test_with_attention_the_lstm_reads_the_weighted_mean(make: Make, read: Read, transform: str) -> None:
    network, inputs = make("wcv-attn", transform=transform), read(*TEXTS)
    found = network(inputs).emissions
    for row, length in enumerate(LENGTHS):
        if length:
            fused = [_mean(network, _modalities(network, inputs, row, place)) for place in range(length)]
            torch.testing.assert_close(
                found[row, :length], _emissions(network, fused), atol=1e-5, rtol=1e-5
            )


def test_with_concat_the_lstm_reads_all_side_by_side(make: Make, read: Read) -> None:
    network, inputs = make("wcv"), read(*TEXTS)
    assert network.absent is not None
    with torch.no_grad():
        network.absent.normal_()
    found = network(inputs).emissions
    for row, length in enumerate(LENGTHS):
        if length:
            each = [_modalities(network, inputs, row, place) for place in range(length)]
            missing = [] if SEEN[row] else [network.absent.tolist()]
            fused = [[x for vector in (*vectors, *missing) for x in vector] for vectors in each]
            torch.testing.assert_close(
                found[row, :length], _emissions(network, fused), atol=1e-5, rtol=1e-5
            )


def test_without_transform_layers_vectors_are_fused_as_they_are(make: Make, read: Read) -> None:
    network, inputs = make("wv"), read(*TEXTS)
    assert network.words is not None
    assert inputs.picture is not None
    words = network.words.vectors.weight[inputs.ids[0]].tolist()
    picture = inputs.picture.features[0, 0].tolist()
    expected = _emissions(network, [[*words[place], *picture] for place in range(4)])
    torch.testing.assert_close(network(inputs).emissions[0, :4], expected, atol=1e-5, rtol=1e-5)


def test_a_post_has_the_same_emissions_alone_and_in_a_batch(network: BiLstmTagger, read: Read) -> None:
    together = network(read(*TEXTS)).emissions
    assert together.dtype == torch.float32
    assert together.isfinite().all()
    for row, (text, here, length) in enumerate(zip(TEXTS, SEEN, LENGTHS, strict=True)):
        inputs = read(*TEXTS[: row + 1], seen=SEEN[: row + 1]) if here else read(text, seen=(False,))
        alone = network(inputs).emissions[-1, :length]
        torch.testing.assert_close(together[row, :length], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", ["wcv-attn", "wcv", "wv"])
def test_a_picture_changes_emissions_and_what_stands_for_an_absent_one_does_not(
    make: Make, read: Read, variant: str
) -> None:
    network, inputs = make(variant), read(*TEXTS)
    before = network(inputs).emissions
    assert inputs.picture is not None
    inputs.picture.features.add_(1.0)
    after = network(inputs).emissions
    assert torch.equal(before[2, 0], after[2, 0])
    assert (before[0, :4] - after[0, :4]).abs().max() > 1e-3
    assert (before[3] - after[3]).abs().max() > 1e-3


@pytest.mark.parametrize("variant", ["wcv-attn", "wcv"])
def test_no_batch_of_pictures_at_all_is_a_batch_without_any(make: Make, read: Read, variant: str) -> None:
    network = make(variant)
    given = read(*TEXTS, seen=(False,) * 4)
    none = Inputs(
        given.ids, given.mask, given.kinds, given.shapes, given.firsts, given.words, given.characters
    )
    torch.testing.assert_close(network(none).emissions, network(given).emissions)


def test_all_weights_learn_from_a_mixed_batch(network: BiLstmTagger, read: Read) -> None:
    network.zero_grad()
    gold = torch.tensor([[1, 2, 0, 3, 0, 0, 0], [0] * 7, [0] * 7, [0, 0, 3, 4, UNKNOWN, 0, 0]])
    network.loss(read(*TEXTS), gold).backward()
    dead = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert dead == []


def test_the_loss_is_the_crfs_and_with_multitask_a_share_of_the_tasks(
    network: BiLstmTagger, read: Read
) -> None:
    inputs, gold = read(*TEXTS), torch.zeros(4, 7, dtype=torch.int64)
    emissions = network(inputs).emissions
    expected = -network.crf.log_likelihood(emissions, gold, inputs.words).mean()
    if network.tasks is not None:
        states = []
        network.lstm.register_forward_hook(lambda module, given, made: states.append(made))
        network(inputs)
        expected = expected + 0.5 * network.tasks(states[0], gold, inputs.words).mean()
    torch.testing.assert_close(network.loss(inputs, gold), expected)
    assert (network.tasks is not None) == (network.settings.multitask == 0.5)  # type: ignore[attr-defined]


def test_it_tells_how_the_modalities_were_weighed(make: Make, read: Read) -> None:
    told = make("wcv-attn")(read(*TEXTS), explain=True).weights["modality attention"]
    assert (told.over, told.columns) == ("modalities", ("words", "characters", "image"))
    assert told.values.shape == (4, 7, 3)
    torch.testing.assert_close(told.values.sum(dim=-1), torch.ones(4, 7))
    assert (told.values[2, :, 2] == 0).all()
    assert (told.values[0, :4, 2] > 0.1).all()
    two = make("wc-attn")(read(*TEXTS), explain=True).weights["modality attention"]
    assert two.columns == ("words", "characters")


def test_nothing_is_told_without_attention_or_unasked(make: Make, read: Read) -> None:
    assert make("wcv")(read(*TEXTS), explain=True).weights == {}
    assert make("wcv-attn")(read(*TEXTS)).weights == {}


def test_bfloat16_is_close_to_float32(network: BiLstmTagger, read: Read) -> None:
    inputs = read(*TEXTS)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        short = network(inputs, explain=True).emissions
    assert short.dtype == torch.float32
    torch.testing.assert_close(short, network(inputs).emissions.detach(), atol=0.15, rtol=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"words": False, "characters": "none"}, "expected at least one of them"),
        ({"picture": "none", "characters": "none"}, "expected two of words, characters and picture"),
        ({"transform_width": 0}, "and a transform_width"),
        ({"lstm": "gru"}, "'coupled' or 'standard'"),
        ({"regions": 3}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_built_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BiLstmSettings.model_validate(settings)
