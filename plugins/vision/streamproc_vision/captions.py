"""Sentences about the picture: a BLIP-class captioner with beam search (wang2022-ita section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import Modality, Value
from streamproc_vision.network import NetworkConfig, NetworkEngine
from streamproc_vision.pixels import square

if TYPE_CHECKING:
    from streamproc_vision.captioner import Captioner


class CaptionsConfig(NetworkConfig):
    """How many sentences, and how long.

    Attributes:
        captions: of a picture; as many beams are searched, but at least 5.
        max_tokens: of a sentence.
    """

    weights: str = "Salesforce/blip-image-captioning-base"
    captions: int = Field(default=5, ge=1, le=10)
    max_tokens: int = Field(default=20, ge=1, le=20)


class CaptionsEngine(NetworkEngine[CaptionsConfig]):
    """Modality `captions`: sentences, best first, with log-probabilities a token."""

    name = "captions"
    modality: ClassVar[Modality] = "captions"
    Config = CaptionsConfig
    batch = 4
    how_to_get = "get them with `streamproc models pull Salesforce/blip-image-captioning-base`"
    _network: Captioner

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """The sentences about each picture."""
        side = self._network.side
        return [*self._network.captions(np.stack([square(p, side, bicubic=True) for p in pictures]))]

    def _build(self) -> None:
        from streamproc_vision.captioner import Captioner, load_blip, load_tokenizer

        self._network = Captioner(
            load_blip(self.weights, self.config.precision),
            load_tokenizer(self.weights),
            self.device,
            count=self.config.captions,
            max_tokens=self.config.max_tokens,
        )
