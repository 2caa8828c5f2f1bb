"""One decoder process, from the outside: start it, ask it, end it. What it says is not trusted either."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from streamproc.errors import ExtractorUnavailable, PictureTooLarge, UndecodablePicture
from streamproc.vision.sandbox.child import ANSWER, PICTURE, READY, REQUEST, TOO_LARGE, UNDECODABLE
from streamproc.vision.sandbox.decode import SAFE_SIDE, DecodeLimits

_START_S: Final = 20.0
_LAST_BREATH_S: Final = 1.0
_READ_AHEAD_BYTES: Final = 1024 * 1024
_REASON_CHARS: Final = 200
_JPEG_BYTES: Final = 3 * SAFE_SIDE * SAFE_SIDE + 65_536
_OURS: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
"""Of our environment only what a Python may need to start."""
_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}
"""Lets glibc keep the memory of one picture for the next: asking for it anew is a third of the work."""


class DecoderDied(UndecodablePicture):
    """The process ended on a file."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a decoder process is told at its start.

    Attributes:
        limits: how large a picture may be.
        memory_bytes: what decoding one may take.
        cpu_s: processor time that decoding one may take.
    """

    limits: DecodeLimits
    memory_bytes: int
    cpu_s: float

    def json(self) -> str:
        """As `child.py` reads it."""
        return json.dumps(
            {
                "max_pixels": self.limits.max_pixels,
                "max_side": self.limits.max_side,
                "memory_bytes": self.memory_bytes,
                "cpu_s": self.cpu_s,
            }
        )


@dataclass(frozen=True, slots=True, eq=False)
class SafeJpeg:
    """What a decoder made of a file."""

    jpeg: bytes
    width: int
    height: int


class DecoderProcess:
    """A running decoder; `start` makes one.

    Attributes:
        guards: what it said to be confined by: `files`, `memory`, `seccomp`.
        files: how many it was asked about.
    """

    def __init__(self, process: asyncio.subprocess.Process, order: Order) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.guards: frozenset[str] = frozenset()
        self.files = 0
        self._process = process
        self._requests = process.stdin
        self._answers = process.stdout
        self._order = order
        self._ending = False
        self._listening = False

    @classmethod
    async def start(cls, order: Order) -> DecoderProcess:
        """A decoder that is ready.

        Raises:
            ExtractorUnavailable: it does not start.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-B", "-P", "-s", "-m", "streamproc.vision.sandbox.child", order.json()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(),
                limit=_READ_AHEAD_BYTES,
                # Ctrl-C is for us: the pictures under way are still looked at.
                start_new_session=True,
            )
        except OSError as error:
            raise ExtractorUnavailable(f"the decoder does not start: {error.strerror}") from None
        decoder = cls(process, order)
        try:
            async with asyncio.timeout(_START_S):
                _, _, guards = await decoder._answer(READY)
        except (TimeoutError, EOFError):
            await decoder.end()
            status = process.returncode
            raise ExtractorUnavailable(
                f"the decoder does not start (status {status}): "
                "`python -m streamproc.vision.sandbox.child` says why"
            ) from None
        except BaseException:
            await decoder.end()
            raise
        decoder.guards = frozenset(guards.decode("ascii", "replace").split(","))
        return decoder

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs, as far as is known. It closes its pipes a moment before it is gone."""
        return not (self._ending or self._process.returncode is not None or self._answers.at_eof())

    async def decode(self, data: bytes) -> SafeJpeg:
        """The safe picture of a file. After anything but an answer the process is of no more use.

        Raises:
            PictureTooLarge: as `decode` says.
            UndecodablePicture: as `decode` says.
            DecoderDied: the process ended instead of answering.
        """
        self.files += 1
        try:
            self._requests.writelines((REQUEST.pack(len(data)), data))
            await self._requests.drain()
            kind, size, content = await self._answer(PICTURE, TOO_LARGE, UNDECODABLE)
        except (EOFError, OSError):
            raise DecoderDied(await self._last_words()) from None
        if kind == PICTURE:
            return _checked(content, size)
        reason = "".join(c for c in content.decode("utf-8", "replace") if c.isprintable())[:_REASON_CHARS]
        if kind == TOO_LARGE:
            raise PictureTooLarge(reason)
        raise UndecodablePicture(reason)

    async def end(self) -> None:
        """Kill it, and wait until it is gone."""
        if not self.alive:
            # Killing would look for its status first, and take it from whom it is for.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _LAST_BREATH_S)
        with suppress(ProcessLookupError):
            self._process.kill()
        # Its pipe is closed at its end only, and what is left in it keeps us from seeing the end.
        while not self._listening and await self._answers.read(_READ_AHEAD_BYTES):
            pass
        await self._process.wait()
        self._requests.close()
        with suppress(OSError):
            await self._requests.wait_closed()

    async def _answer(self, *kinds: bytes) -> tuple[bytes, tuple[int, int], bytes]:
        self._listening = True
        try:
            kind, width, height, length = ANSWER.unpack(await self._answers.readexactly(ANSWER.size))
            if kind not in kinds or length > _JPEG_BYTES:
                raise EOFError
            return kind, (width, height), await self._answers.readexactly(length)
        finally:
            self._listening = False

    async def _last_words(self) -> str:
        self._ending = True
        await self.end()
        status = self._process.returncode or 0
        if status == -signal.SIGPROF:
            return f"decoding took more than {self._order.cpu_s:g} s of processor time"
        if status < 0:
            return f"the decoder died (signal {-status}) on this file"
        return f"the decoder ended (status {status}) on this file"


def _environment() -> dict[str, str]:
    """The way to the modules that this process uses, and nothing of its secrets."""
    places = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
    ours = {name: os.environ[name] for name in _OURS if name in os.environ}
    return ours | _MEMORY | {"PYTHONPATH": places}


def _checked(jpeg: bytes, size: tuple[int, int]) -> SafeJpeg:
    """Let an answer pass that has the form of a safe picture: a decoder may have fallen to its file."""
    try:
        with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
            if image.size == size and image.mode == "RGB" and max(size) <= SAFE_SIDE:
                return SafeJpeg(jpeg, *size)
    except Exception:  # noqa: BLE001, S110  Pillow raises many kinds
        pass
    raise DecoderDied("the decoder answered with something else than a safe picture")
