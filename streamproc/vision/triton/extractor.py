"""A model of a Triton server as an extractor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from streamproc.errors import ExtractorAway, ExtractorUnavailable
from streamproc.vision.api import Extracted, Extractor, Picture
from streamproc.vision.names import Known
from streamproc.vision.triton.breaker import Breaker
from streamproc.vision.triton.client import Answer, TritonClient, TritonOptions
from streamproc.vision.triton.errors import Kind, TritonFailed
from streamproc.vision.wire import from_tensors, outputs_of

logger = logging.getLogger(__name__)


class TritonExtractor(Extractor):
    """Asks a server what is to be seen. Triton looks at pictures of several callers together.

    Args:
        client: asks; shared with other extractors, and closed with the last of them.
        name: the model's.
        known: what it gives.
        options: how many pictures at once, and when the model is left alone.
        clock: seconds that only grow; for the breaker.
    """

    def __init__(
        self,
        client: TritonClient,
        name: str,
        known: Known,
        options: TritonOptions,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self.modality = known.modality
        self.width = known.width
        self._client = client
        self._outputs = outputs_of(known.modality)
        self._slots = asyncio.Semaphore(options.in_flight)
        self._breaker = Breaker(options.breaker_failures, options.breaker_pause_s, clock=clock)
        self._version: str | None = None
        self._learning = asyncio.Lock()
        client.share()

    async def version(self) -> str:
        """Of the model, as its last answer had it; asked for before the first picture.

        Raises:
            ExtractorAway: the server never answered so far.
        """
        if self._version is None:
            async with self._learning:
                if self._version is None:
                    self._refuse_if_open()
                    return await self._probe()
        return self._version

    def unavailable(self) -> str | None:
        """Why the model is left alone; `None` also where the next picture would probe it."""
        refusal = self._breaker.refusal
        return None if refusal is None else f"{self.name} at {refusal}"

    async def extract(self, picture: Picture) -> Extracted:
        """What the model sees in a picture.

        Raises:
            ExtractorAway: the server is away or busy, or the model is left alone.
            ExtractorUnavailable: it gave what cannot be used, failed on this picture, or was too slow.
        """
        async with self._slots:
            self._refuse_if_open()
            if self._breaker.half_open:
                await self._probe()
            answer = await self._ask(picture.jpeg)
        try:
            value = from_tensors(self.modality, answer.tensors, width=self.width)
        except ValueError as error:
            raise self._gave(error) from None
        return Extracted(value, answer.version)

    async def close(self) -> None:
        """Close the client, if no other extractor uses it."""
        await self._client.close()

    def _refuse_if_open(self) -> None:
        if (reason := self.unavailable()) is not None:
            raise ExtractorAway(reason)

    async def _probe(self) -> str:
        """Ask for the version alone. Who does not even answer that is left alone at once."""
        with self._breaker.probe():
            return (await self._ask(b"", probing=True)).version

    async def _ask(self, jpeg: bytes, *, probing: bool = False) -> Answer:
        try:
            answer = await self._client.ask(self.name, jpeg, self._outputs)
        except TritonFailed as error:
            self._count(error, probing)
            raise self._without_answer(error) from None
        except ValueError as error:
            self._answered()
            raise self._gave(error) from None
        self._answered()
        self._version = answer.version
        return answer

    def _count(self, error: TritonFailed, probing: bool) -> None:
        kind = error.failing.kind
        if kind is Kind.PICTURE:
            self._answered()
        elif kind is not Kind.BUSY and self._breaker.failed(
            str(error), for_sure=probing or kind is Kind.ABSENT
        ):
            logger.warning("%s at %s: it is left alone, and tried again now and then", self.name, error)

    def _without_answer(self, error: TritonFailed) -> ExtractorUnavailable:
        """One answer that is late may be the picture's fault; after several nobody is asked any more."""
        reason = f"{self.name} at {error}"
        if error.failing.kind is Kind.PICTURE:
            return ExtractorUnavailable(reason)
        if error.failing.kind is Kind.SLOW and self._breaker.refusal is None:
            return ExtractorUnavailable(reason)
        return ExtractorAway(reason)

    def _answered(self) -> None:
        if self._breaker.answered():
            logger.warning("%s at %s answers again", self.name, ", ".join(self._client.hosts))

    def _gave(self, error: ValueError) -> ExtractorUnavailable:
        return ExtractorUnavailable(f"{self.name}: the server gave {error}"[:200])
