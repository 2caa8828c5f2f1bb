"""Vectors of words from their characters, against one word at a time and plain loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from streamproc_mner.nn.characters import CharacterCnn, CharacterLstm, Characters, character_encoder

CHARACTERS = torch.tensor(
    [
        [[2, 5, 3, 4], [6, 0, 0, 0], [0, 0, 0, 0]],
        [[3, 3, 0, 0], [7, 2, 6, 0], [1, 2, 3, 0]],
    ]
)
Encoder = CharacterLstm | CharacterCnn


def _made(kind: Characters, dropout: float = 0.0) -> Encoder:
    torch.manual_seed(0)
    return character_encoder(kind, 8, 5, 3, dropout).double()


@pytest.fixture(params=["lstm", "cnn"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return _made(request.param)


def test_the_lstm_gives_the_last_state_of_each_direction() -> None:
    encoder = _made("lstm")
    assert isinstance(encoder, CharacterLstm)
    found = encoder(CHARACTERS)
    for place in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2)):
        word = CHARACTERS[place][CHARACTERS[place] > 0]
        vectors = encoder.table(word).unsqueeze(0)
        states = encoder.lstm(vectors, torch.ones(vectors.shape[:2], dtype=torch.bool))
        expected = torch.cat([states[0, -1, :3], states[0, 0, 3:]])
        torch.testing.assert_close(found[place], expected)


def test_the_cnn_gives_each_filters_maximum_over_the_word() -> None:
    encoder = _made("cnn")
    assert isinstance(encoder, CharacterCnn)
    found, table = encoder(CHARACTERS).tolist(), encoder.table.weight.tolist()
    weight, bias = encoder.convolution.weight.tolist(), encoder.convolution.bias.tolist()  # type: ignore[union-attr]
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2)):
        word = [table[c] for c in CHARACTERS[row, column].tolist() if c]
        padded = [[0.0] * 5, *word, [0.0] * 5]
        for number in range(3):
            sums = [
                sum(weight[number][d][k] * padded[i + k][d] for k in range(3) for d in range(5))
                for i in range(len(word))
            ]
            assert found[row][column][number] == pytest.approx(max(sums) + bias[number], abs=1e-9)


def test_padding_does_not_matter(encoder: Encoder) -> None:
    longer = torch.nn.functional.pad(CHARACTERS, (0, 6, 0, 2))
    found = encoder(longer)
    torch.testing.assert_close(found[:, :3], encoder(CHARACTERS))
    assert found.shape == (2, 5, encoder.width)


def test_what_is_no_word_is_zero(encoder: Encoder) -> None:
    found = encoder(CHARACTERS)
    assert (found[0, 2] == 0).all()
    assert (found.flatten(0, 1)[[0, 1, 3, 4, 5]] != 0).all()
    assert (encoder(torch.zeros(1, 1, 1, dtype=torch.int64)) == 0).all()


def test_all_weights_learn_and_padding_does_not(encoder: Encoder) -> None:
    encoder(CHARACTERS).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0, name
    assert (encoder.table.weight.grad[0] == 0).all()


def test_gradients_are_right(encoder: Encoder) -> None:
    def run(table: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(encoder, {"table.weight": table}, (CHARACTERS,))
        return found

    assert torch.autograd.gradcheck(run, encoder.table.weight.detach().clone().requires_grad_())


def test_dropout_of_characters_is_for_training_only() -> None:
    encoder = _made("cnn", dropout=0.5)
    assert not torch.equal(encoder(CHARACTERS), encoder(CHARACTERS))
    encoder.eval()
    torch.testing.assert_close(encoder(CHARACTERS), _made("cnn")(CHARACTERS))
