"""A word's vector from its characters, by an LSTM or by a convolution."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from streamproc_mner.nn.recurrent import BiLstm
from streamproc_mner.vocabulary import PADDING

Characters = Literal["lstm", "cnn"]

_WINDOW = 3


class CharacterLstm(nn.Module):
    """The last states of a bidirectional LSTM over a word's characters (Lample et al. 2016).

    With the C characters' vectors x_1 ... x_C of a word, v = [h_C forward ; h_1 backward].

    Args:
        count: rows of the table of characters.
        width: of a character's vector.
        hidden: H, of each direction's state.

    Attributes:
        width: 2 H, of a word's vector.
    """

    def __init__(self, count: int, width: int, hidden: int) -> None:
        super().__init__()
        self.table = _table(count, width)
        self.lstm = BiLstm(width, hidden)
        self.width = self.lstm.width

    def forward(self, characters: Tensor) -> Tensor:
        """(B, T, C) character ids, 0 at padding, to (B, T, 2 H); zeros for what is no word."""
        spelled, places = each_spelling_once(characters)
        vectors = self.lstm.ends(self.table(spelled), spelled != PADDING)
        return vectors[places]


class CharacterCnn(nn.Module):
    """A convolution over a word's characters and its maximum (Ma & Hovy 2016).

    With the C characters' vectors x_1 ... x_C of a word and zeros on either side,
    v = max over i of W [x_(i-1) ; x_i ; x_(i+1)] + b, the maximum in each of the H filters.

    Args:
        count: rows of the table of characters.
        width: of a character's vector.
        hidden: H, number of filters.
        dropout: of the characters' vectors; words of a batch that are spelled alike share its choice.

    Attributes:
        width: H, of a word's vector.
    """

    def __init__(self, count: int, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = _table(count, width)
        self.dropout = nn.Dropout(dropout)
        self.convolution = nn.Conv1d(width, hidden, _WINDOW, padding=_WINDOW // 2)
        self.width = hidden

    def forward(self, characters: Tensor) -> Tensor:
        """(B, T, C) character ids, 0 at padding, to (B, T, H); zeros for what is no word."""
        spelled, places = each_spelling_once(characters)
        here = (spelled != PADDING).unsqueeze(1)
        read = self.dropout(self.table(spelled)).transpose(1, 2) * here
        filtered: Tensor = self.convolution(read).masked_fill(~here, -torch.inf).amax(dim=2)
        vectors: Tensor = filtered.masked_fill(~here.any(dim=2), 0.0)
        return vectors[places]


def each_spelling_once(characters: Tensor) -> tuple[Tensor, Tensor]:
    """The words of a batch, those that are spelled alike once, padding too: they get one vector.

    Args:
        characters: (B, T, C).

    Returns:
        (U, C) spellings, and (B, T) which of them each word has.
    """
    words = characters.flatten(0, 1)
    spelled, places = torch.unique(words, dim=0, return_inverse=True)
    return spelled, places.view(characters.shape[:2])


def character_encoder(
    kind: Characters, count: int, width: int, hidden: int, dropout: float
) -> CharacterLstm | CharacterCnn:
    """The character encoder of a kind; see the classes."""
    if kind == "lstm":
        return CharacterLstm(count, width, hidden)
    return CharacterCnn(count, width, hidden, dropout)


def _table(count: int, width: int) -> nn.Embedding:
    """Random vectors of characters, U(-sqrt(3 / width), sqrt(3 / width)) as in Ma & Hovy 2016."""
    table = nn.Embedding(count, width, padding_idx=PADDING)
    bound = math.sqrt(3 / width)
    with torch.no_grad():
        table.weight.uniform_(-bound, bound)
        table.weight[PADDING].zero_()
    return table
