"""An engine at work in this process: pictures of several posts are looked at together."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeAlias

from streamproc.errors import ExtractorUnavailable, PictureError
from streamproc.vision.api import Extracted, Extractor, Picture
from streamproc.vision.engine import Engine, look_at_each
from streamproc.vision.visuals import Value

logger = logging.getLogger(__name__)

_Waiting: TypeAlias = tuple[Picture, asyncio.Future[Value | PictureError]]


class LocalExtractor(Extractor):
    """Runs an engine in threads of its own.

    The engine is loaded at the first look, in such a thread: a worker that meets no picture does
    without it. Pictures that come while all threads are busy are looked at together.

    Args:
        engine: opened, not loaded; closed with the extractor.
    """

    def __init__(self, engine: Engine[Any]) -> None:
        self.name = engine.name
        self.modality = engine.modality
        self.width = engine.width
        self._engine = engine
        self._executor = ThreadPoolExecutor(engine.workers, thread_name_prefix=f"look-{engine.name}")
        self._loading = Lock()
        self._loaded = False
        self._fault: str | None = None
        self._waiting: deque[_Waiting] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._busy = 0

    async def version(self) -> str:
        """The engine's."""
        return self._engine.version

    def unavailable(self) -> str | None:
        """Why the engine could not be loaded: that is tried once."""
        return self._fault

    async def extract(self, picture: Picture) -> Extracted:
        """What the engine sees in a picture.

        Raises:
            ExtractorUnavailable: it cannot be loaded, or failed on this picture.
        """
        seen: asyncio.Future[Value | PictureError] = asyncio.get_running_loop().create_future()
        self._waiting.append((picture, seen))
        if self._busy < self._engine.workers:
            self._busy += 1
            call = asyncio.create_task(self._work())
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        outcome = await seen
        if isinstance(outcome, PictureError):
            raise outcome
        return Extracted(outcome, self._engine.version)

    async def close(self) -> None:
        """Wait for the pictures that are being looked at; those that wait are given up."""
        for _, seen in self._waiting:
            seen.cancel()
        self._waiting.clear()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
        self._engine.close()

    async def _work(self) -> None:
        """Look, as long as pictures wait."""
        loop = asyncio.get_running_loop()
        try:
            while batch := self._take():
                jpegs = [picture.jpeg for picture, _ in batch]
                outcomes = await loop.run_in_executor(self._executor, self._look, jpegs)
                for (_, seen), outcome in zip(batch, outcomes, strict=True):
                    if not seen.done():
                        seen.set_result(outcome)
        finally:
            # In the same breath as the last `_take`: a picture that comes now must find a free worker.
            self._busy -= 1

    def _take(self) -> list[_Waiting]:
        """The next pictures whose callers still wait."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._engine.batch:
            picture, seen = self._waiting.popleft()
            if not seen.done():
                batch.append((picture, seen))
        return batch

    def _look(self, jpegs: Sequence[bytes]) -> list[Value | PictureError]:
        self._load()
        if self._fault is not None:
            return [ExtractorUnavailable(self._fault) for _ in jpegs]
        return look_at_each(self._engine, jpegs)

    def _load(self) -> None:
        with self._loading:
            if self._loaded or self._fault is not None:
                return
            try:
                self._engine.load()
            except Exception as error:
                logger.exception("extractor %s cannot be loaded", self.name)
                self._fault = f"{self.name} cannot be loaded: {type(error).__name__}: {error}"[:200]
            else:
                self._loaded = True
