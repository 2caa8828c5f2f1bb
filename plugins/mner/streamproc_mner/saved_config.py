"""What stands in the JSON files of a saved model; `streamproc_mner.saved_model` reads and writes them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from streamproc.entities import View
from streamproc.errors import PluginError
from streamproc.fusion.api import Modality
from streamproc_mner.decoding import CrfScores
from streamproc_mner.windows import Limits

FORMAT: Final = 1

WeightsFile = Literal["model.onnx", "model.safetensors"]
QUICK: Final = "model.int8.onnx"
NamedFile = Literal["labels.json", "tokenizer.json", "vocabulary.json"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Frozen):
    """The file with the weights, and what its bytes must be."""

    file: WeightsFile
    bytes: int = Field(gt=0)
    sha256: Sha256


class Quick(_Frozen):
    """A second weight file of an ONNX model, with 8-bit integers: quicker, and a little less exact.

    Attributes:
        agreement: F1 of its entities against those of `model.onnx`, on posts that it was not made with.
        f1: of both, `model.onnx` first, by view, where these posts were labelled; in percent.
    """

    file: Literal["model.int8.onnx"] = QUICK
    bytes: int = Field(gt=0)
    sha256: Sha256
    agreement: float = Field(ge=0, le=100)
    f1: dict[View, tuple[float, float]] = {}


class Crf(_Frozen):
    """A CRF's scores, for decoding without torch."""

    start: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
    end: tuple[float, ...]

    @classmethod
    def of(cls, scores: CrfScores) -> Crf:
        """The scores as they are stored.

        Raises:
            PluginError: sub-tokens are labelled PAD, which only a network in torch is served with.
        """
        if scores.pad is not None:
            raise PluginError("labels = pad-as-authors cannot be exported: train with labels = first")
        return cls(
            start=tuple(scores.start.tolist()),
            transitions=tuple(tuple(row) for row in scores.transitions.tolist()),
            end=tuple(scores.end.tolist()),
        )

    def is_of(self, count: int) -> bool:
        """Whether there is a score for each of so many labels."""
        sizes = [len(self.start), len(self.end), len(self.transitions), *map(len, self.transitions)]
        return all(size == count for size in sizes)

    def scores(self) -> CrfScores:
        """As arrays."""
        start, transitions, end = (
            np.array(part, np.float32) for part in (self.start, self.transitions, self.end)
        )
        return CrfScores(start, transitions, end)


class SavedConfig(_Frozen):
    """`config.json`.

    Attributes:
        format: of the folder; a reader refuses a higher one than it knows.
        name: of the model, as it stands in the output.
        network: the plugin whose network gives the emissions.
        settings: of that network.
        kinds: of visual context that it was trained on.
        limits: of length.
        crf: needed beside `model.onnx`; `model.safetensors` holds it itself.
        encoders: configurations (transformers) by role in the network, beside `model.safetensors`.
        files: sha256 of labels, tokenizer and vocabulary; models of the first release have none.
        temperature: that the CRF's scores are divided by before probabilities are taken.
        look_threshold: the uncertainty above which a look at a post's picture is worth it.
        quick: a second weight file, beside `model.onnx`.
    """

    format: Literal[1] = 1
    name: str = Field(min_length=1)
    network: str
    settings: dict[str, Any] = {}
    weights: Weights
    kinds: tuple[Modality, ...] = ()
    limits: Limits = Limits()
    crf: Crf | None = None
    encoders: dict[str, dict[str, Any]] = {}
    files: dict[NamedFile, Sha256] = {}
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    look_threshold: float | None = Field(default=None, ge=0, le=1)
    quick: Quick | None = None


class SavedVocabulary(_Frozen):
    """`vocabulary.json`."""

    words: tuple[str, ...]
    characters: str
