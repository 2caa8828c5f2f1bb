"""The network of Moon et al. 2018, and the recurrent taggers that it is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from streamproc_mner.nn.auxiliary_tasks import TypingAndSegmentation
from streamproc_mner.nn.characters import character_encoder
from streamproc_mner.nn.coupled_lstm import CoupledLstm
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.modality_attention import ModalityAttention
from streamproc_mner.nn.recurrent import BiLstm
from streamproc_mner.nn.tagger import Attention, NetworkSettings, Output, Parts, Reads, Tagger
from streamproc_mner.pictures import PictureNeed


class BiLstmSettings(NetworkSettings):
    """Settings of `BiLstmTagger`; the defaults are W+C+V with modality attention of moon2018."""

    words: bool = Field(default=True, description="read the words' vectors")
    characters: Literal["none", "lstm", "cnn"] = Field(
        default="lstm", description="what reads the words' characters"
    )
    picture: Literal["none", "global"] = Field(
        default="global", description="global: one vector of the whole picture, at every word"
    )
    fusion: Literal["concat", "attention"] = Field(
        default="attention", description="the modalities' vectors side by side, or weighed for each word"
    )
    lstm: Literal["coupled", "standard"] = Field(
        default="coupled", description="the LSTM over words: moon2018 eq. 1, or torch's"
    )
    multitask: float = Field(
        default=0.0, ge=0, description="weight of typing and segmentation in training; 0: not trained"
    )
    word_width: int = Field(default=100, gt=0, le=8192, description="of a word's vector in the table")
    vectors: str | None = Field(
        default=None,
        description="file with pretrained word vectors of that width (GloVe's text format), read when "
        "a new network is made; without it they are random at first",
    )
    word_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of words read as unknown in training"
    )
    character_width: int = Field(default=50, gt=0, le=8192, description="of a character's vector")
    character_hidden: int = Field(
        default=50, gt=0, le=8192, description="states of the character LSTM in each direction, or filters"
    )
    picture_width: int = Field(default=1024, gt=0, le=8192, description="of the picture's vector")
    transform_width: int = Field(
        default=100,
        ge=0,
        le=8192,
        description="of each modality's vector after its transform layer; 0: no layer",
    )
    transform: Literal["tanh", "sigmoid"] = Field(
        default="tanh", description="what the transform layers end with"
    )
    hidden: int = Field(
        default=100, gt=0, le=8192, description="states of the LSTM over words in each direction"
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="of what the LSTM reads and gives")

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if not self.words and self.characters == "none":
            raise ValueError("words are off and characters are none: expected at least one of them")
        several = self.words + (self.characters != "none") + (self.picture != "none") > 1
        if self.fusion == "attention" and not (several and self.transform_width):
            raise ValueError(
                "fusion = attention weighs modalities of one width: "
                "expected two of words, characters and picture, and a transform_width"
            )
        return self


class BiLstmTagger(Tagger):
    """Words, their characters and the picture, fused for each word, a BiLSTM, a CRF (moon2018).

    A word's modalities are its vector, one from its characters, and the picture's vector, the same
    at every word (section 3.1). Each goes through its transform layer, x := tanh(W x + b): the
    paper writes sigma_m(x) and does not say what that is; read as a sigmoid (`transform`), networks
    learn far more slowly. The vectors are put side by side, or weighed by modality attention
    (eq. 4), and read by the entity LSTM (eq. 1), from whose states h_t come the emissions
    e_t = W_e h_t + b_e of the CRF (eq. 2).

    A post without a picture: with `attention` only words and characters are weighed (eq. 5), with
    `concat` a learnt vector stands for the picture.

    With `multitask` the loss is NLL + weight x (typing + segmentation), see `TypingAndSegmentation`.

    Args:
        settings: of the network.
        labels: BIO labels.
        parts: give the vocabulary and the words' vectors.
    """

    Settings: ClassVar[type[NetworkSettings]] = BiLstmSettings

    def __init__(self, settings: BiLstmSettings, labels: Sequence[str], parts: Parts) -> None:
        picture = PictureNeed("global", settings.picture_width, 1) if settings.picture != "none" else None
        reads = Reads("words", characters=settings.characters != "none", picture=picture)
        super().__init__(settings, labels, parts, reads)
        widths: dict[str, int] = {}
        self.words = self.characters = None
        if settings.words:
            self.words = parts.word_table(settings.word_width, settings.vectors, settings.word_dropout)
            widths["words"] = settings.word_width
        if settings.characters != "none":
            self.characters = character_encoder(
                settings.characters,
                parts.vocabulary.character_count,
                settings.character_width,
                settings.character_hidden,
                settings.dropout,
            )
            widths["characters"] = self.characters.width
        if picture is not None:
            widths["image"] = picture.width
        self._assemble(settings, widths)

    def _assemble(self, settings: BiLstmSettings, widths: dict[str, int]) -> None:
        """What is done with the modalities' vectors, whose widths these are."""
        self.transforms = nn.ModuleDict()
        if settings.transform_width:
            for name, width in widths.items():
                layer = nn.Linear(width, settings.transform_width)
                end = nn.Tanh() if settings.transform == "tanh" else nn.Sigmoid()
                self.transforms[name] = nn.Sequential(layer, end)
            widths = dict.fromkeys(widths, settings.transform_width)
        self.attention = self.absent = None
        fused = sum(widths.values())
        if settings.fusion == "attention":
            fused = settings.transform_width
            self.attention = ModalityAttention(len(widths), fused)
        elif "image" in widths:
            self.absent = nn.Parameter(torch.zeros(widths["image"]))
        self.dropout = nn.Dropout(settings.dropout)
        lstm = CoupledLstm if settings.lstm == "coupled" else BiLstm
        self.lstm = lstm(fused, settings.hidden)
        self.output = nn.Linear(self.lstm.width, len(self.labels))
        self.crf = CRF(self.labels)
        self.tasks = TypingAndSegmentation(self.labels, self.lstm.width) if settings.multitask else None
        self.task_weight = settings.multitask

    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of words."""
        states, weights = self._states(inputs)
        told = {}
        if explain and weights is not None:
            told["modality attention"] = Attention("modalities", weights, tuple(self.transforms))
        return Output(self.output(states).float(), weights=told)

    def loss(self, inputs: Inputs, gold: Tensor, text: Inputs | None = None) -> Tensor:
        """The CRF's negative log-likelihood, with `multitask` also the losses of the other tasks."""
        states, _ = self._states(inputs)
        losses = -self.crf.log_likelihood(self.output(states).float(), gold, inputs.words)
        if self.tasks is not None:
            losses = losses + self.task_weight * self.tasks(states, gold, inputs.words)
        return losses.mean()

    def _states(self, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
        """(B, T, 2 H) of the entity LSTM, and (B, T, M) how the modalities were weighed."""
        vectors, present = self._modalities(inputs)
        if self.attention is not None:
            fused, weights = self.attention(torch.stack(vectors, dim=2), present)
        else:
            fused, weights = torch.cat(vectors, dim=-1), None
        return self.dropout(self.lstm(self.dropout(fused), inputs.words)), weights

    def _modalities(self, inputs: Inputs) -> tuple[list[Tensor], Tensor]:
        """The modalities' vectors (B, T, P) as they are fused, and (B, M) whether each is there."""
        always = torch.ones_like(inputs.words[:, 0])
        vectors, present = [], []
        if self.words is not None:
            vectors.append(self._transform("words", self.words(inputs.ids)))
            present.append(always)
        if self.characters is not None:
            vectors.append(self._transform("characters", self.characters(inputs.characters)))
            present.append(always)
        if self.reads.picture is not None:
            image, seen = _image(inputs, self.reads.picture.width)
            image = self._transform("image", image)
            if self.absent is not None:
                image = torch.where(seen.unsqueeze(-1), image, self.absent)
            vectors.append(image.unsqueeze(1).expand(-1, inputs.words.shape[1], -1))
            present.append(seen)
        return vectors, torch.stack(present, dim=1)

    def _transform(self, name: str, vectors: Tensor) -> Tensor:
        transformed: Tensor = self.transforms[name](vectors) if self.transforms else vectors
        return transformed


def _image(inputs: Inputs, width: int) -> tuple[Tensor, Tensor]:
    """(B, D) vectors of the pictures, and (B,) whether each post has one."""
    if inputs.picture is None:
        posts, device = len(inputs.words), inputs.words.device
        return torch.zeros(posts, width, device=device), torch.zeros(posts, dtype=torch.bool, device=device)
    return inputs.picture.features[:, 0], inputs.picture.seen
