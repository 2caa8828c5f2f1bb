"""Plugins in processes of their own, for tests."""

from __future__ import annotations

import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from streamproc.fusion.api import FusionInput, Tagging
from streamproc.fusion.isolation.process_runner import ProcessRunner
from streamproc.fusion.runner import Result
from streamproc.fusion.tagger import Tagger
from streamproc.settings import Batching, PluginSettings

HERE = Path(__file__).parent


def settings(**more: Any) -> PluginSettings:
    """The misbehaving plugin in a process of its own; the fixture `misbehaving` makes it importable."""
    return PluginSettings(plugin="misbehaving:MisbehavingPlugin", isolation="process", **more)


@asynccontextmanager
async def tagger(batching: Batching | None = None, **more: Any) -> AsyncIterator[Tagger]:
    """That plugin as the pipeline knows it."""
    opened = await Tagger.open("bad", settings(**more), batching or Batching(wait_ms=0))
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def running(**more: Any) -> AsyncIterator[ProcessRunner]:
    """That plugin's process."""
    model = ProcessRunner("bad", settings(**more), backoff_s=0.01)
    await model.start()
    try:
        yield model
    finally:
        await model.close()


async def tag(asked: Tagger, *texts: str) -> dict[str, Result]:
    """What became of each text, tagged as one batch."""
    found: dict[str, Result] = {}
    async for group in asked.tag(inputs(*texts)):
        for index, result in group:
            assert texts[index] not in found
            found[texts[index]] = result
    return found


def inputs(*texts: str) -> list[FusionInput]:
    """Posts of these texts."""
    return [FusionInput(text) for text in texts]


def names(result: Result) -> list[str]:
    """The entities that were found."""
    assert isinstance(result, Tagging), result
    return [entity.text for entity in result.entities]


def ends(pid: int) -> bool:
    """Whether the process ends; waits for it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 30)[0])
    finally:
        os.close(descriptor)
