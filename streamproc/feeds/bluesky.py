"""Posts of Bluesky, as they are written: follows a Jetstream server over its WebSocket.

At least once: after a lost connection the stream is taken up again a little before the last
event seen, as Jetstream's cursors are times and events of one moment may still be on their way.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import ClassVar, Final

import aiohttp
from pydantic import Field, field_validator
from yarl import URL

from streamproc.errors import InputError, MalformedPost
from streamproc.feeds.api import BadLine, Feed, FeedConfig, FeedItem, Item
from streamproc.feeds.bluesky_events import COLLECTION, read_event, to_message

PUBLIC_URL: Final = "wss://jetstream2.us-east.bsky.network/subscribe"

_MAX_FRAME_BYTES: Final = 4 << 20
_CLOSE_SECONDS: Final = 2.0
_EARLIEST_CURSOR: Final = 10**15
"""September 2001 in microseconds: a smaller number was meant in another unit."""

_LOG: Final = logging.getLogger(__name__)


class BlueskyConfig(FeedConfig):
    """Options of the Bluesky feed."""

    url: str = Field(default=PUBLIC_URL, description="a Jetstream server's /subscribe address")
    cursor: int | None = Field(
        default=None, description="start at this time (Unix microseconds) instead of now"
    )
    overlap_seconds: float = Field(default=5.0, ge=0, description="taken again after a reconnect")
    ping_seconds: float = Field(default=20.0, gt=0, description="how often to ask whether it is alive")
    silence_seconds: float = Field(default=90.0, gt=0, description="no event for so long: reconnect")
    connect_seconds: float = Field(default=20.0, gt=0, description="patience with one handshake")
    attempts: int = Field(default=10, ge=1, description="failures in a row before giving up")
    backoff_seconds: float = Field(default=1.0, gt=0, description="first wait; doubled, up to a minute")

    @field_validator("url")
    @classmethod
    def _websocket(cls, value: str) -> str:
        if not value.startswith(("ws://", "wss://")) or not URL(value).host:
            raise ValueError("expected an address such as wss://HOST/subscribe")
        return value

    @field_validator("cursor")
    @classmethod
    def _microseconds(cls, value: int | None) -> int | None:
        if value is not None and value < _EARLIEST_CURSOR:
            raise ValueError("expected a time in Unix microseconds, 16 digits")
        return value


class _ConnectionLost(Exception):
    """The connection ended or could not be made; another may be tried."""


class BlueskyFeed(Feed[BlueskyConfig]):
    """Creates, updates and deletes of posts, from now or from a cursor on; never ends by itself."""

    name: ClassVar[str] = "bluesky"
    Config: ClassVar[type[FeedConfig]] = BlueskyConfig

    def __init__(self, config: BlueskyConfig) -> None:
        super().__init__(config)
        self._cursor = config.cursor
        self._last_seen: int | None = None
        self._frames = 0

    def resumed(self, cursor: str) -> BlueskyFeed:
        """The same feed from a delivered item's cursor on, with the overlap of a reconnect."""
        values = self.config.model_dump() | {"cursor": self._before(int(cursor))}
        return BlueskyFeed(BlueskyConfig(**values))

    async def posts(self) -> AsyncGenerator[Item, None]:
        """Follow the stream.

        Raises:
            InputError: the server refuses for good, or could not be reached for too long.
        """
        failures = 0
        async with aiohttp.ClientSession(trust_env=True) as session:
            while True:
                try:
                    async with self._connected(session) as socket, aclosing(self._events(socket)) as events:
                        async for item in events:
                            failures = 0
                            if item is not None:
                                yield item
                except _ConnectionLost as lost:
                    failures += 1
                    if failures >= self.config.attempts:
                        raise InputError(
                            f"{self.config.url}: gave up after {failures} failures in a row: {lost}"
                        ) from None
                    delay = self._delay(failures)
                    _LOG.warning("%s: %s; next try in %.1f s", self.config.url, lost, delay)
                await asyncio.sleep(delay)
                if self._last_seen is not None:
                    self._cursor = self._before(self._last_seen)

    @asynccontextmanager
    async def _connected(
        self, session: aiohttp.ClientSession
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        query = {"wantedCollections": COLLECTION, "maxMessageSizeBytes": str(_MAX_FRAME_BYTES)}
        if self._cursor is not None:
            query["cursor"] = str(self._cursor)
        try:
            async with asyncio.timeout(self.config.connect_seconds):
                socket = await session.ws_connect(
                    URL(self.config.url).extend_query(query),
                    heartbeat=self.config.ping_seconds,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
                    max_msg_size=_MAX_FRAME_BYTES,
                )
        except aiohttp.WSServerHandshakeError as error:
            refusal = f"refused the connection with HTTP status {error.status}"
            if error.status < 500 and error.status not in (408, 425, 429):
                raise InputError(f"{self.config.url} {refusal}: check the url and the cursor") from None
            raise _ConnectionLost(refusal) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _ConnectionLost(f"cannot connect: {error or type(error).__name__}") from None
        async with socket:
            yield socket

    async def _events(self, socket: aiohttp.ClientWebSocketResponse) -> AsyncGenerator[Item | None, None]:
        """The connection's items until it is lost; `None` for an event about something else."""
        while True:
            try:
                message = await socket.receive(timeout=self.config.silence_seconds)
            except TimeoutError:
                raise _ConnectionLost(f"no event for {self.config.silence_seconds:g} s") from None
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                yield self._item(message)
            elif socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                raise InputError(f"{self.config.url}: sent a frame of more than {_MAX_FRAME_BYTES} bytes")
            else:
                reason = socket.exception() or f"closed with code {socket.close_code}"
                raise _ConnectionLost(f"connection lost: {reason}")

    def _item(self, message: aiohttp.WSMessage) -> Item | None:
        self._frames += 1
        raw = message.data.encode() if isinstance(message.data, str) else bytes(message.data)
        try:
            event = read_event(raw)
            self._last_seen = max(event.time_us, self._last_seen or 0)
            post = to_message(event)
        except MalformedPost as error:
            return BadLine(self._frames, error, raw)
        if post is None:
            return None
        return FeedItem(post, self._frames, raw, cursor=str(event.time_us))

    def _before(self, cursor: int) -> int:
        return max(_EARLIEST_CURSOR, cursor - round(self.config.overlap_seconds * 1e6))

    def _delay(self, failures: int) -> float:
        """Seconds to wait: doubled with every failure, spread so that clients do not come at once."""
        longest = min(60.0, self.config.backoff_seconds * 2.0 ** (failures - 1))
        return longest * random.uniform(0.5, 1.0)
