"""What a model plugin is.

A plugin is a class that derives from `FusionPlugin` and is named in the entry-point group
`streamproc.fusion`. It never sees Kafka, Redis or Triton: it gets texts with what was seen in
their pictures, and gives entities. It may be called in a thread or in another process, so
everything that crosses this border can be pickled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict

from streamproc.entities import Entity
from streamproc.vision.visuals import Box, Missing, Modality, Seen, Visual

API_VERSION: Final = 1

Over: TypeAlias = Literal["tokens", "cells", "regions", "modalities", "gates"]
"""What an attention or gate gives its weights to; see `Weights`."""


class Need(StrEnum):
    """Whether a model can work without a modality."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class FusionInput(Struct, frozen=True, gc=False):
    """One post as a model sees it.

    `visuals` has an entry for each modality that the model names, `Seen` or `Missing`.
    """

    text: str
    lang: tuple[str, ...] = ()
    visuals: Mapping[Modality, Visual] = field(default_factory=dict)

    def seen(self, modality: Modality) -> tuple[Any, ...]:
        """The values of one modality, one a picture; empty when it is missing."""
        visual = self.visuals.get(modality)
        return visual.values if isinstance(visual, Seen) else ()


@dataclass(frozen=True, slots=True)
class Weights:
    """One attention or gate of a model: a row for each token of the explanation.

    Attributes:
        over: what the columns are: the tokens themselves, the 49 cells of a `grid` row by row, the
            regions of a picture, the modalities (or sources) that are weighed against each other
            (rows sum to 1), or gates (each value from 0, shut, to 1, open).
        rows: one a token, each with one value a column.
        columns: names of modalities or gates, such as `words`, `characters`, `image`; empty otherwise.
        boxes: of regions; empty otherwise.
    """

    over: Over
    rows: tuple[tuple[float, ...], ...]
    columns: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a model came to its tags.

    Attributes:
        tokens: the model's words, each with its text and its span in code points, start and end.
        weights: by the name of the attention or gate, such as `visual attention`.
    """

    tokens: tuple[tuple[str, int, int], ...]
    weights: Mapping[str, Weights]


class Tagging(Struct, frozen=True, gc=False):
    """What a model says of one post.

    Attributes:
        entities: spans with `text[start:end] == entity.text`, in order of `start`, not overlapping.
        confidence: for each token of the model, O included, the probability of the label it got.
        uncertainty: of the whole post, 0 (certain) to 1; what `look = uncertain(...)` compares.
        explanation: on request only.
    """

    entities: tuple[Entity, ...]
    confidence: tuple[float, ...]
    uncertainty: float
    explanation: Explanation | None = None


class FusionModel(ABC):
    """A loaded model. Called from one place at a time."""

    modalities: Mapping[Modality, Need] = {}
    """What this model was trained on, of what its plugin can use; others are not fed to it."""

    widths: Mapping[Modality, int] = {}
    """Of the vectors it was trained on, where a modality has several: `global` is 2048 or 1024."""

    look_threshold: float = 0.2
    """The uncertainty (0 to 1) above which a post's pictures are worth a look: the threshold of
    `look = uncertain` without a number. A model whose maker measured it sets its own."""

    model: str | None = None
    model_version: str | None = None

    @abstractmethod
    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        """Tag posts: one `Tagging` for each, in order.

        A post's result does not depend on the batch it is in (to 1e-4). An empty batch gives an
        empty list, a missing optional modality is data, not an error.
        """

    def explain(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        """Like `tag`, with explanations where the model has any."""
        return self.tag(batch)

    def close(self) -> None:
        """Give back what the model holds."""


class NoConfig(BaseModel):
    """The configuration of a plugin that has nothing to configure."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=BaseModel)


class FusionPlugin(ABC, Generic[ConfigT]):
    """Names itself, its API version, its configuration and its modalities, and loads a model.

    Class attributes:
        name: as in the entry point; lower case with hyphens.
        version: of the plugin's code.
        api_version: the `API_VERSION` it was written for.
        Config: pydantic model of its configuration, `frozen=True, extra="forbid"`.
        modalities: what its models can use, each required or optional.
        needs_model: whether `load` needs a folder with a saved model.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    api_version: ClassVar[int] = API_VERSION
    Config: ClassVar[type[BaseModel]] = NoConfig
    modalities: ClassVar[Mapping[Modality, Need]] = {}
    needs_model: ClassVar[bool] = True

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @abstractmethod
    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        """Load a model.

        Args:
            model_dir: folder of a saved model; `None` only where `needs_model` is false.
            device: `cpu`, `cuda` or `cuda:N`.

        Raises:
            PluginError: the folder is not a model of this plugin; says what was expected.
        """


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A trained model that an installed package carries (entry-point group `streamproc.models`).

    The entry point's name is the model's name; `notice` is shown to people who run it.
    """

    plugin: str
    folder: Path
    notice: str = ""


__all__ = [
    "API_VERSION",
    "Entity",
    "Explanation",
    "FusionInput",
    "FusionModel",
    "FusionPlugin",
    "Missing",
    "Modality",
    "ModelPackage",
    "Need",
    "NoConfig",
    "Over",
    "Seen",
    "Tagging",
    "Visual",
    "Weights",
]
