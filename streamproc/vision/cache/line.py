"""The line to Redis: commands of concurrent callers go together; a server that is away is left in peace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from time import monotonic
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError

from streamproc.vision.api import CacheCounts

logger = logging.getLogger(__name__)

Client: TypeAlias = Redis | RedisCluster
Word: TypeAlias = str | bytes | int

_BATCH: Final = 64
_IN_FLIGHT: Final = 8
_TAKES_NO_WRITES: Final = ("OOM command not allowed", "MISCONF", "NOREPLICAS")


class Script:
    """A Lua script, known to the server by its hash.

    Args:
        text: the script. It may touch only keys that it is given, or, on a single server, others.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """A command that waits for its answer, and the one to try where its script is not known."""

    command: Sequence[Word]
    answer: asyncio.Future[Any]
    in_full: Sequence[Word] | None = None


class Line:
    """Sends commands to Redis, those of all who ask within one turn of the event loop together.

    Args:
        client: closed with the line.
        counts: `errors`, `refused` and `away` are kept here.
        pause_s: after a failure, how long Redis is not asked: a look should not wait for a connection
            that will not come.
        deadline_s: for one batch of commands, from connecting to the last answer.
    """

    def __init__(
        self, client: Client, counts: CacheCounts, *, pause_s: float = 1.0, deadline_s: float = 2.0
    ) -> None:
        self._client = client
        self._counts = counts
        self._pause_s = pause_s
        self._deadline_s = deadline_s
        self._ask_again_at = 0.0
        self._waiting: list[_Request] = []
        self._batches: set[asyncio.Task[None]] = set()

    async def ask(self, *command: Word) -> Any:
        """The answer, `None` if Redis has none: it is away, or refused."""
        return await self._ask(command)

    async def run(self, script: Script, keys: Sequence[str], *arguments: Word) -> Any:
        """What a script gives, `None` if Redis has no answer."""
        rest = (len(keys), *keys, *arguments)
        return await self._ask(("EVALSHA", script.digest, *rest), ("EVAL", script.text, *rest))

    async def close(self) -> None:
        """Wait for what is under way, then close the connections."""
        while self._batches:
            await asyncio.wait(self._batches)
        await self._client.aclose()

    async def _ask(self, command: Sequence[Word], in_full: Sequence[Word] | None = None) -> Any:
        if monotonic() < self._ask_again_at:
            return None
        loop = asyncio.get_running_loop()
        request = _Request(command, loop.create_future(), in_full)
        if not self._waiting:
            loop.call_soon(self._send)
        self._waiting.append(request)
        return await request.answer

    def _send(self) -> None:
        while self._waiting and len(self._batches) < _IN_FLIGHT:
            requests, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            batch = asyncio.create_task(self._send_together(requests))
            self._batches.add(batch)
            batch.add_done_callback(self._sent)

    def _sent(self, batch: asyncio.Task[None]) -> None:
        self._batches.discard(batch)
        self._send()

    async def _send_together(self, requests: Sequence[_Request]) -> None:
        try:
            if monotonic() < self._ask_again_at:
                raise ConnectionError("it was away a moment ago")
            async with asyncio.timeout(self._deadline_s):
                pipeline = self._client.pipeline(transaction=False)
                for request in requests:
                    pipeline.execute_command(*request.command)
                answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001  a server that goes in the middle is more than a RedisError
            answers = [error] * len(requests)
        failure = None
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, NoScriptError) and request.in_full is not None:
                self._waiting.append(_Request(request.in_full, request.answer))
                continue
            if isinstance(answer, Exception) and not _is_of_another_type(answer):
                if _refused(answer):
                    self._counts.refused += 1
                else:
                    failure = answer
            if not request.answer.done():
                request.answer.set_result(None if isinstance(answer, Exception) else answer)
        self._note(failure)

    def _note(self, failure: Exception | None) -> None:
        """Say once that Redis went, and once that it is back."""
        if failure is not None:
            self._counts.errors += 1
            self._ask_again_at = monotonic() + self._pause_s
            if not self._counts.away:
                logger.warning("cache: Redis is away, going on without it: %s", _told(failure))
        elif self._counts.away:
            logger.info("cache: Redis is back")
        self._counts.away = failure is not None


def _refused(error: Exception) -> bool:
    """Whether the server takes no writes now, and can be asked nevertheless."""
    if isinstance(error, OutOfMemoryError):
        return True
    return isinstance(error, ResponseError) and any(sign in str(error) for sign in _TAKES_NO_WRITES)


def _is_of_another_type(error: Exception) -> bool:
    """Whether somebody put another type of value under the key: then nothing is known there."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
