"""Small stand-ins for tests of what surrounds them: a model that does as told, a sink that keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from streamproc.deadletters import DeadLetter
from streamproc.errors import PostError
from streamproc.fusion.api import FusionInput, FusionModel, Need, Tagging
from streamproc.fusion.capitals import CapitalsConfig, CapitalsModel
from streamproc.fusion.discovery import PluginFacts
from streamproc.fusion.runner import ThreadRunner
from streamproc.fusion.tagger import Tagger
from streamproc.local import LocalBatch, LocalRecord
from streamproc.output import Output
from streamproc.settings import Batching
from streamproc.vision.visuals import Modality


class FakeModel(FusionModel):
    """Tags capitalised words; raises, is uncertain and sees as it is told.

    Args:
        modalities: what it wants to see.
        uncertainty: of a post, from its input.
        raises_on: a text that holds this word makes the whole batch raise.
    """

    def __init__(
        self,
        modalities: Mapping[Modality, Need] | None = None,
        uncertainty: Callable[[FusionInput], float] = lambda _: 0.0,
        raises_on: str = "\x00",
    ) -> None:
        self.modalities = dict(modalities or {})
        self.batches: list[list[FusionInput]] = []
        self._uncertainty = uncertainty
        self._raises_on = raises_on
        self._capitals = CapitalsModel(CapitalsConfig())

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        self.batches.append(list(batch))
        if any(self._raises_on in post.text for post in batch):
            raise RuntimeError(f"told to raise on {self._raises_on!r}")
        return [
            Tagging(tagging.entities, tagging.confidence, self._uncertainty(post))
            for post, tagging in zip(batch, self._capitals.tag(batch), strict=True)
        ]


def fake_tagger(name: str, model: FusionModel, batching: Batching | None = None) -> Tagger:
    """A tagger over a model, as the pipeline knows it."""
    facts = PluginFacts.of(name, "1", model)
    return Tagger(facts, ThreadRunner(name, model), batching or Batching(wait_ms=0))


class MemorySink:
    """Keeps what it is given.

    Args:
        refuse: for an output, the reason why it cannot be delivered, or `None`.
    """

    def __init__(self, refuse: Callable[[Output], PostError | None] = lambda _: None) -> None:
        self.outputs: list[Output] = []
        self.letters: list[DeadLetter] = []
        self._refuse = refuse

    async def publish(self, outputs: Sequence[Output]) -> list[PostError | None]:
        """Keep all that are not refused."""
        reasons = [self._refuse(output) for output in outputs]
        self.outputs += [output for output, reason in zip(outputs, reasons, strict=True) if reason is None]
        return reasons

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters."""
        self.letters += letters


def memory_batch(bodies: Sequence[bytes], ended: Callable[[int], None] = lambda _: None) -> LocalBatch:
    """Messages as a fetched batch; offsets count from 1."""
    return LocalBatch([LocalRecord(offset, body) for offset, body in enumerate(bodies, 1)], ended)
