"""Letting go of a client whose broker does not answer."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_PART_S: Final = 1.0


async def let_go(*parts: Any) -> None:
    """Close parts of an aiokafka client, one after another, in bounded time, whatever that raises."""
    for part in parts:
        # As a task: what closing raises may be the cancellation of a task of its own.
        closing = asyncio.create_task(part.close())
        await asyncio.wait([closing], timeout=_PART_S)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
