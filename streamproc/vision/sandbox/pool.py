"""Decoding strangers' files in processes of their own: what breaks a decoder breaks nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import PIL
from PIL import features

from streamproc.errors import ExtractorUnavailable, PictureError, UndecodablePicture
from streamproc.vision.api import Picture
from streamproc.vision.sandbox.decode import FORMATS, SAFE_QUALITY, SAFE_SIDE, DecodeLimits, digest_of
from streamproc.vision.sandbox.process import DecoderDied, DecoderProcess, Order, SafeJpeg

_BYTES_PER_PIXEL: Final = 24
"""Measured at 40 megapixels: 3 (JPEG) to 23 (WebP with transparency) bytes of address space."""
_LEAST_BYTES: Final = 128 * 1024 * 1024
_LIBRARIES: Final = ("jpg", "zlib", "webp")


@dataclass(slots=True)
class SandboxCounts:
    """Totals since the start.

    `opened`: files that became pictures. `refused`: files that a decoder refused. `died`: files on
    which a decoder ended. `timed_out`: files that took too long.
    """

    opened: int = 0
    refused: int = 0
    died: int = 0
    timed_out: int = 0


class Sandbox:
    """A pool of decoder processes, each started when it is first needed and replaced when it ends.

    A process reads one file at a time. It has no environment, no files, no network and bounded
    memory and processor time: `guard.py` says how.

    Args:
        limits: how large a picture may be.
        processes: how many decode at the same time.
        timeout_s: time for one file.
        cpu_s: processor time for one file.
        memory_bytes: what decoding one file may take; by default what the largest allowed picture
            needs.
        files_per_process: after so many files a process is replaced, whatever it has gathered.

    Attributes:
        version: hash of all that shapes a safe picture; part of the cache keys of what is seen in it.
        counts: what became of the files.
        guards: what the processes are confined by, known after the first `open`.
    """

    def __init__(
        self,
        limits: DecodeLimits | None = None,
        *,
        processes: int = 2,
        timeout_s: float = 10.0,
        cpu_s: float = 8.0,
        memory_bytes: int | None = None,
        files_per_process: int = 1_000,
    ) -> None:
        self.counts = SandboxCounts()
        self.guards: frozenset[str] = frozenset()
        self.version = _version()
        self._timeout_s = timeout_s
        self._files_per_process = files_per_process
        limits = limits or DecodeLimits()
        if memory_bytes is None:
            memory_bytes = _LEAST_BYTES + _BYTES_PER_PIXEL * limits.max_pixels
        order = Order(limits, memory_bytes, cpu_s)
        self._seats = [_Seat(order) for _ in range(processes)]
        # Last in, first out: who needs one process only starts one.
        self._free: asyncio.LifoQueue[_Seat] = asyncio.LifoQueue()
        for seat in self._seats:
            self._free.put_nowait(seat)

    async def open(self, data: bytes) -> Picture:
        """Make a file a safe picture.

        Args:
            data: the file; how large it may be is the fetcher's to say.

        Raises:
            PictureTooLarge: more pixels or a longer side than the limits, or more memory.
            UndecodablePicture: no picture, damaged, or it took too long or broke its decoder.
            ExtractorUnavailable: no decoder can be started.
        """
        digest = await asyncio.to_thread(digest_of, data)
        seat = await self._free.get()
        try:
            decoder = await seat.decoder()
            self.guards = decoder.guards
            safe = await self._decode(seat, decoder, data)
        finally:
            self._free.put_nowait(seat)
        return Picture(digest, safe.jpeg, safe.width, safe.height)

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes that are ready or busy."""
        return [pid for seat in self._seats if (pid := seat.pid) is not None]

    @property
    def busy(self) -> int:
        """How many files are with a process now."""
        return len(self._seats) - self._free.qsize()

    async def close(self) -> None:
        """End the processes."""
        for seat in self._seats:
            await seat.close()

    async def _decode(self, seat: _Seat, decoder: DecoderProcess, data: bytes) -> SafeJpeg:
        answered = False
        try:
            async with asyncio.timeout(self._timeout_s):
                safe = await decoder.decode(data)
            self.counts.opened += 1
            answered = True
        except TimeoutError:
            self.counts.timed_out += 1
            raise UndecodablePicture(f"decoding took longer than {self._timeout_s:g} s") from None
        except DecoderDied as error:
            self.counts.died += 1
            raise UndecodablePicture(str(error)) from None
        except PictureError:
            self.counts.refused += 1
            answered = True
            raise
        finally:
            # Whoever was cancelled leaves a process behind that is busy with a file nobody wants.
            if not answered or decoder.files >= self._files_per_process:
                seat.replace()
        return safe


class _Seat:
    """A place for one process: who sits there changes."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._arrival: asyncio.Task[DecoderProcess] | None = None
        self._closed = False

    async def decoder(self) -> DecoderProcess:
        """A process that is ready; started, or replaced where it ended meanwhile, if need be."""
        decoder = await self._arrived()
        if not decoder.alive:
            self.replace()
            decoder = await self._arrived()
        return decoder

    @property
    def pid(self) -> int | None:
        """Number of the process, once it has arrived."""
        arrival = self._arrival
        if arrival is None or not arrival.done() or arrival.cancelled() or arrival.exception():
            return None
        return arrival.result().pid

    def replace(self) -> None:
        """End the process and start the next one at once, so that it is warm when it is needed."""
        if not self._closed:
            self._arrival = asyncio.create_task(self._succeed(self._arrival))

    async def close(self) -> None:
        """End the process for good."""
        self._closed = True
        if self._arrival is not None:
            await _end(self._arrival)

    async def _arrived(self) -> DecoderProcess:
        if self._closed:
            raise ExtractorUnavailable("the sandbox is closed")
        if self._arrival is None:
            self._arrival = asyncio.create_task(DecoderProcess.start(self._order))
        try:
            # Shielded: who waits may leave, the process is there for the next one.
            return await asyncio.shield(self._arrival)
        except ExtractorUnavailable:
            self._arrival = None
            raise

    async def _succeed(self, before: asyncio.Task[DecoderProcess] | None) -> DecoderProcess:
        if before is not None:
            await _end(before)
        return await DecoderProcess.start(self._order)


async def _end(arrival: asyncio.Task[DecoderProcess]) -> None:
    with suppress(ExtractorUnavailable):
        decoder = await arrival
        await decoder.end()


def _version() -> str:
    """What another Pillow or another bound would make differently."""
    libraries = [features.version(name) for name in _LIBRARIES]
    parts = (FORMATS, SAFE_SIDE, SAFE_QUALITY, PIL.__version__, *libraries)
    return sha256(repr(parts).encode()).hexdigest()[:12]
