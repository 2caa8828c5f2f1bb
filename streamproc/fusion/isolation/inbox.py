"""What comes from a plugin's process, message by message."""

from __future__ import annotations

import asyncio
from collections import deque

from streamproc.fusion.isolation.messages import BrokenFrame, Packed, frame


class Inbox(asyncio.Protocol):
    """The receiving end of the connection to a process.

    Attributes:
        messages: that came and that nobody has taken yet, still packed.
        broken: something else came; whatever follows is of no use.
        over: nothing more will come.
    """

    def __init__(self) -> None:
        self.messages: deque[Packed] = deque()
        self.broken = False
        self.over = False
        self._buffer = bytearray()
        self._frame = frame()
        self._needed = next(self._frame)
        self._news: asyncio.Future[bool] | None = None

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if not self.broken:
            self._buffer += data
            try:
                self._take()
            except BrokenFrame:
                self.broken = True
        self._tell(True)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self.over = True
        self._tell(True)

    async def news(self, seconds: float) -> bool:
        """Whether something comes within so long.

        What came while this loop was busy, or stopped, counts, however long that was.
        """
        loop = asyncio.get_running_loop()
        self._news = loop.create_future()
        timer = loop.call_later(seconds, self._tell, False)
        try:
            return await self._news
        finally:
            timer.cancel()

    def _take(self) -> None:
        while len(self._buffer) >= self._needed:
            piece = self._buffer[: self._needed]
            del self._buffer[: self._needed]
            try:
                self._needed = self._frame.send(piece)
            except StopIteration as whole:
                self.messages.append(whole.value)
                self._frame = frame()
                self._needed = next(self._frame)

    def _tell(self, came: bool) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(came)
