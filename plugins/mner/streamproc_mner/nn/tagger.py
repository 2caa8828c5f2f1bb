"""What every network of this library is: emissions for words, a CRF over them, and a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from transformers import PreTrainedModel

from streamproc.errors import PluginError
from streamproc.fusion.api import Modality, Over
from streamproc_mner.decoding import CrfScores
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.word_vectors import WordTable, WordVectors, read_word_vectors
from streamproc_mner.pictures import PictureNeed
from streamproc_mner.vocabulary import Vocabulary


class NetworkSettings(BaseModel):
    """What a recipe sets of a network. A family derives its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Reads:
    """What a network reads of a post.

    Attributes:
        positions: sub-tokens of an encoder, or whole words of a vocabulary.
        characters: whether it also reads the words' characters.
        kinds: of visual context in the text.
        picture: vectors of the picture.
    """

    positions: Literal["sub-tokens", "words"] = "sub-tokens"
    characters: bool = False
    kinds: tuple[Modality, ...] = ()
    picture: PictureNeed | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """One attention or gate of a forward pass; see `streamproc.fusion.api.Weights`.

    Attributes:
        over: what the last axis is.
        values: (B, T, K), one row a word.
        columns: names of modalities or gates.
        of_picture: whether it says nothing of a post without a picture, as those over cells and regions.
    """

    over: Over
    values: Tensor
    columns: tuple[str, ...] = ()
    of_picture: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What a forward pass gives.

    Attributes:
        emissions: (B, T, L) of words, float32; what stands at padding means nothing.
        joined: (B, T) bool: between this word and the next (or the end) stand sub-tokens with the
            label PAD (`labels = pad-as-authors`); `None` where none are labelled.
        weights: by name, where they were asked for. Those over cells or regions mean nothing for a
            post without a picture.
    """

    emissions: Tensor
    joined: Tensor | None = None
    weights: Mapping[str, Attention] = field(default_factory=dict)


class Parts:
    """What a network is built of and does not make itself.

    Args:
        find: gives the encoder with this role in the network and this name: pretrained, or of a
            saved model's configuration.
        vocabulary: for networks that look words or characters up.
        read_vectors: reads a file of word vectors; `None` for a saved model, which has its own.
    """

    def __init__(
        self,
        find: Callable[[str, str], PreTrainedModel],
        vocabulary: Vocabulary | None = None,
        read_vectors: Callable[[Path, Vocabulary, int], WordVectors] | None = read_word_vectors,
    ) -> None:
        self.configs: dict[str, dict[str, Any]] = {}
        self._find = find
        self._vocabulary = vocabulary
        self._read_vectors = read_vectors

    def encoder(self, name: str, role: str = "text") -> PreTrainedModel:
        """The encoder of a name, with the role that it has in the network."""
        found = self._find(role, name)
        self.configs[role] = found.config.to_diff_dict()
        return found

    @property
    def vocabulary(self) -> Vocabulary:
        """Of words and characters.

        Raises:
            PluginError: none was given.
        """
        if self._vocabulary is None:
            raise PluginError("this network needs a vocabulary of words and characters")
        return self._vocabulary

    def word_table(self, width: int, vectors: str | None, dropout: float = 0.0) -> WordTable:
        """A table of the vocabulary's words.

        Args:
            width: of a word's vector.
            vectors: file with pretrained vectors for some of them; not read for a saved model.
            dropout: see `WordTable`.
        """
        table = WordTable(self.vocabulary.word_count, width, dropout)
        if vectors is not None and self._read_vectors is not None:
            table.fill(self._read_vectors(Path(vectors), self.vocabulary, width))
        return table


class Tagger(nn.Module, ABC):
    """A network with a CRF over words.

    Subclasses name their settings, and in `__init__(settings, labels, parts)` call this one's with
    what they read.

    Class attributes:
        Settings: what a recipe sets.

    Args:
        settings: of the network.
        labels: the L BIO labels.
        parts: what it is built of.
        reads: what it reads of a post.
    """

    Settings: ClassVar[type[NetworkSettings]]
    crf: CRF

    def __init__(
        self, settings: NetworkSettings, labels: Sequence[str], parts: Parts, reads: Reads
    ) -> None:
        super().__init__()
        self.settings = settings
        self.labels = tuple(labels)
        self.reads = reads
        self.encoder_configs = parts.configs

    @abstractmethod
    def forward(self, inputs: Inputs, *, explain: bool = False) -> Output:
        """Emissions of a batch of windows.

        Args:
            inputs: the windows.
            explain: also give attentions and gates.
        """

    def loss(self, inputs: Inputs, gold: Tensor, text: Inputs | None = None) -> Tensor:
        """The training objective, a mean over posts: by default the CRF's negative log-likelihood.

        Args:
            inputs: posts, one window each.
            gold: (B, T) label indices, `UNKNOWN` where not known.
            text: for networks that train on both views (`trains_on_both_views`), B posts without what
                was seen; the first of them are those of `inputs`.

        Returns:
            Scalar.
        """
        emissions = self(inputs).emissions
        return -self.crf.log_likelihood(emissions, gold, inputs.words).mean()

    @property
    def crf_scores(self) -> CrfScores:
        """Of the CRF over words that the network is served with, for `decoding.Decoder`."""
        return self.crf.scores()

    @property
    def reads_vocabulary(self) -> bool:
        """Whether the network looks words or characters up."""
        return self.reads.positions == "words" or self.reads.characters

    @property
    def trains_on_both_views(self) -> bool:
        """Whether `loss` wants the view without pictures too."""
        return False
