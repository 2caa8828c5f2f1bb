"""What an engine is: it sees one thing in decoded pictures, in this process or inside a Triton server.

An engine is a class that derives from `Engine` and is named in the entry-point group
`streamproc.extractors`. It knows neither Kafka nor Redis nor Triton, and is called in a thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from io import BytesIO
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from streamproc.errors import ExtractorUnavailable, PictureError, UndecodablePicture
from streamproc.vision.checks import check_value
from streamproc.vision.visuals import Modality, Value

Pixels: TypeAlias = NDArray[np.uint8]
"""A decoded picture: RGB, (height, width, 3)."""


class NoEngineConfig(BaseModel):
    """The configuration of an engine that has nothing to configure."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=BaseModel)


class Engine(ABC, Generic[ConfigT]):
    """Sees one modality.

    Making one is cheap: it finds and hashes its weights and imports nothing large. `load` does the
    rest, once, before the first `look`.

    Class attributes:
        name: of the entry point, of the Triton model and in settings: the modality's, or one that
            begins with it where a modality has several engines (`global_inception`).
        modality: what it gives.
        width: D of its vectors, for `grid`, `global` and `regions`; `None` for what people can read.
        Config: pydantic model of its configuration, `frozen=True, extra="forbid"`.
        batch: at most how many pictures it is given at a time.

    Attributes:
        version: hash of weights, engine and every parameter; part of the cache key, so that another
            way of looking never meets this one's values.
        workers: how many threads may be in `look` at the same time.
    """

    name: ClassVar[str]
    modality: ClassVar[Modality]
    width: ClassVar[int | None] = None
    Config: ClassVar[type[BaseModel]] = NoEngineConfig
    batch: ClassVar[int] = 8

    version: str
    workers: int = 1

    def __init__(self, config: ConfigT, device: str = "cpu") -> None:
        """Find what is needed.

        Args:
            config: an instance of `Config`.
            device: `cpu`, `cuda` or `cuda:N`.

        Raises:
            PluginError: weights or libraries are not there; says what to run.
        """
        self.config = config
        self.device = device

    @abstractmethod
    def load(self) -> None:
        """Make it ready to look. Blocks; called once.

        Raises:
            PluginError: the weights are not what they should be.
        """

    @abstractmethod
    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """One value for each picture, in order; a picture's value does not depend on its company."""

    def close(self) -> None:
        """Give back what the engine holds."""


def decode_jpeg(jpeg: bytes) -> Pixels:
    """The pixels of a picture of our own encoding.

    Raises:
        UndecodablePicture: it is not one.
    """
    try:
        with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:  # noqa: BLE001  Pillow raises many kinds
        raise UndecodablePicture("expected a JPEG as the sandbox writes it") from None


def look_at_each(engine: Engine[Any], jpegs: Sequence[bytes]) -> list[Value | PictureError]:
    """What an engine sees in each picture; one that it fails on costs the others nothing.

    Blocks. The values are checked: what a network makes of a picture may be NaN.
    """
    outcomes: list[Value | PictureError] = []
    pixels: list[Pixels] = []
    for jpeg in jpegs:
        try:
            pixels.append(decode_jpeg(jpeg))
        except UndecodablePicture as error:
            outcomes.append(error)
        else:
            outcomes.append(_NOT_YET)
    seen = iter(_look(engine, pixels))
    return [next(seen) if outcome is _NOT_YET else outcome for outcome in outcomes]


_NOT_YET: Any = object()


def _look(engine: Engine[Any], pictures: Sequence[Pixels]) -> list[Value | PictureError]:
    if not pictures:
        return []
    try:
        values = engine.look(pictures)
        if len(values) != len(pictures):
            raise ValueError(f"{len(values)} values for {len(pictures)} pictures")
    except Exception as error:  # noqa: BLE001  an engine wraps libraries, each with errors of its own
        if len(pictures) > 1:
            return [outcome for picture in pictures for outcome in _look(engine, [picture])]
        return [ExtractorUnavailable(f"{engine.name} failed: {type(error).__name__}: {error}"[:200])]
    return [_checked(engine, value) for value in values]


def _checked(engine: Engine[Any], value: Value) -> Value | PictureError:
    try:
        check_value(engine.modality, value, width=engine.width)
    except Exception as error:  # noqa: BLE001  whatever an engine gives instead of a value
        return ExtractorUnavailable(f"{engine.name} gave {error}"[:200])
    return value
