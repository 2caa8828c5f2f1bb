"""The network of the concatenation module (CM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from streamproc_mner.nn.characters import Characters, character_encoder
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.inputs import Inputs, PictureInputs
from streamproc_mner.nn.tagger import NetworkSettings, Output, Parts, Reads, Tagger
from streamproc_mner.nn.text_encoder import TransformerText, TransformerTextEncoder
from streamproc_mner.pictures import CELLS, PictureNeed


class ConcatSettings(NetworkSettings):
    """Settings of `ConcatTagger`."""

    text: TransformerText = Field(default=TransformerText(), description="what makes words' vectors")
    characters: Characters = Field(default="cnn", description="what reads the words' characters")
    character_width: int = Field(default=30, gt=0, le=8192, description="of a character's vector")
    character_hidden: int = Field(
        default=50, gt=0, le=8192, description="filters, or states of the character LSTM in each direction"
    )
    picture: Literal["grid", "global"] = Field(
        default="grid", description="the mean of the last convolution's cells, or a vector of the picture"
    )
    picture_width: int = Field(
        default=2048, gt=0, le=8192, description="of a cell's vector, or of the picture's"
    )
    width: int = Field(
        default=768, gt=0, le=8192, description="that words, characters and picture are projected to"
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="before the output layer")


class ConcatTagger(Tagger):
    """BERT + CM + CRF of chen2021-wnut section 3.3.

    A word's vector h_t, the vector c_t of its characters and the picture's vector p, projected to
    one width, stand side by side:

        x_t = [W_w h_t + b_w ; W_c c_t + b_c ; W_p p + b_p]
        e_t = W_o dropout(x_t) + b_o

    The paper takes the picture from the last convolution of a ResNet, a map of 7 x 7 cells, and does
    not say how it becomes one vector: p is their mean here. With `picture = global` the vector comes
    from the extractor. For a post without a picture a learned vector, at first 0, stands in for
    W_p p + b_p.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the encoder and the vocabulary of characters.
    """

    Settings: ClassVar[type[NetworkSettings]] = ConcatSettings

    def __init__(self, settings: ConcatSettings, labels: Sequence[str], parts: Parts) -> None:
        most = CELLS if settings.picture == "grid" else 1
        need = PictureNeed(settings.picture, settings.picture_width, most)
        super().__init__(settings, labels, parts, Reads(characters=True, picture=need))
        self.text = TransformerTextEncoder(settings.text, parts)
        self.characters = character_encoder(
            settings.characters,
            parts.vocabulary.character_count,
            settings.character_width,
            settings.character_hidden,
            settings.dropout,
        )
        self.of_words = nn.Linear(self.text.width, settings.width)
        self.of_characters = nn.Linear(self.characters.width, settings.width)
        self.of_picture = nn.Linear(settings.picture_width, settings.width)
        self.absent = nn.Parameter(torch.zeros(settings.width))
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(3 * settings.width, len(labels))
        self.crf = CRF(labels)

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words. There is nothing to explain: no part is weighed against another."""
        words = self.of_words(self.text(inputs))
        characters = self.of_characters(self.characters(inputs.characters))
        picture = self._picture(inputs.picture, len(words)).unsqueeze(1).expand_as(words)
        joined = torch.cat([words, characters, picture.to(words.dtype)], dim=-1)
        emissions: Tensor = self.output(self.dropout(joined))
        return Output(emissions.float())

    def _picture(self, picture: PictureInputs | None, posts: int) -> Tensor:
        """(B, `width`): the projected mean of the cells, or what stands in for it."""
        if picture is None:
            return self.absent.expand(posts, -1)
        here = picture.mask.unsqueeze(-1)
        mean = (picture.features * here).sum(dim=1) / here.sum(dim=1).clamp(min=1)
        return torch.where(picture.seen.unsqueeze(-1), self.of_picture(mean), self.absent)
