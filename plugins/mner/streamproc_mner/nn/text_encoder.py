"""A vector for each word of a post, from a BiLSTM over words and characters or from a transformer.

Networks that bring a picture into the words' vectors are built on either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from streamproc_mner.nn.characters import character_encoder
from streamproc_mner.nn.inputs import Inputs, at_words
from streamproc_mner.nn.recurrent import BiLstm
from streamproc_mner.nn.tagger import Parts, Reads
from streamproc_mner.pictures import PictureNeed


class BiLstmText(BaseModel):
    """Settings of `BiLstmTextEncoder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["bilstm"] = "bilstm"
    word_width: int = Field(default=200, gt=0, le=8192, description="of a word's vector in the table")
    vectors: str | None = Field(
        default=None,
        description="file with pretrained word vectors of that width (GloVe's text format), read when "
        "a new network is made; without it they are random at first",
    )
    word_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of words read as unknown in training"
    )
    characters: Literal["none", "lstm", "cnn"] = Field(
        default="lstm", description="what reads the words' characters"
    )
    character_width: int = Field(default=30, gt=0, le=8192, description="of a character's vector")
    character_hidden: int = Field(
        default=50, gt=0, le=8192, description="states of the character LSTM in each direction, or filters"
    )
    hidden: int = Field(
        default=200, gt=0, le=8192, description="states of the LSTM over words in each direction"
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="of what the LSTM reads and gives")


class TransformerText(BaseModel):
    """Settings of `TransformerTextEncoder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["transformer"] = "transformer"
    encoder: str = Field(default="bert-base-cased", description="a transformer, by name or folder")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="of the words' vectors")


TextSettings = Annotated[BiLstmText | TransformerText, Field(discriminator="kind")]


class TextEncoder(nn.Module, ABC):
    """Words to vectors.

    Attributes:
        width: W, of a word's vector.
    """

    width: int

    @abstractmethod
    def forward(self, inputs: Inputs) -> Tensor:
        """(B, T, W) of the words, zeros at padding."""


class BiLstmTextEncoder(TextEncoder):
    """A BiLSTM over words, each with its vector and one from its characters.

    x_t = [w_t ; c_t], h_t = [LSTM(x)_t forward ; backward]; without characters Huang et al. 2015,
    with an LSTM over them Lample et al. 2016, with a convolution Ma & Hovy 2016.

    Args:
        settings: its sizes.
        parts: give the vocabulary and the words' vectors.
    """

    def __init__(self, settings: BiLstmText, parts: Parts) -> None:
        super().__init__()
        self.words = parts.word_table(settings.word_width, settings.vectors, settings.word_dropout)
        self.characters = None
        width = settings.word_width
        if settings.characters != "none":
            self.characters = character_encoder(
                settings.characters,
                parts.vocabulary.character_count,
                settings.character_width,
                settings.character_hidden,
                settings.dropout,
            )
            width += self.characters.width
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = BiLstm(width, settings.hidden)
        self.width = self.lstm.width

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, T, W) of the words, zeros at padding."""
        vectors: Tensor = self.words(inputs.ids)
        if self.characters is not None:
            vectors = torch.cat([vectors, self.characters(inputs.characters)], dim=-1)
        states: Tensor = self.dropout(self.lstm(self.dropout(vectors), inputs.words))
        return states


class TransformerTextEncoder(TextEncoder):
    """The encoder's output for the first sub-token of each word.

    Args:
        settings: which encoder.
        parts: give the encoder.
    """

    def __init__(self, settings: TransformerText, parts: Parts) -> None:
        super().__init__()
        self.encoder = parts.encoder(settings.encoder)
        self.width = int(self.encoder.config.hidden_size)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, T, W) of the words, zeros at padding."""
        hidden = self.encoder(input_ids=inputs.ids, attention_mask=inputs.mask).last_hidden_state
        vectors: Tensor = self.dropout(at_words(hidden, inputs.firsts))
        return vectors.masked_fill(~inputs.words.unsqueeze(-1), 0.0)


def text_encoder(settings: BiLstmText | TransformerText, parts: Parts) -> TextEncoder:
    """The text encoder that settings describe."""
    if isinstance(settings, BiLstmText):
        return BiLstmTextEncoder(settings, parts)
    return TransformerTextEncoder(settings, parts)


def reads_of(settings: BiLstmText | TransformerText, picture: PictureNeed | None) -> Reads:
    """What a network with such a text encoder reads of a post, and of its picture."""
    if isinstance(settings, BiLstmText):
        return Reads("words", characters=settings.characters != "none", picture=picture)
    return Reads("sub-tokens", picture=picture)
