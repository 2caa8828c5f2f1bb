"""Running a model: the boundary behind which a plugin lives.

The pipeline only knows `Runner`. What crosses it can be pickled, so a child process can stand
behind it as well as a thread.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, TypeAlias

from streamproc.daemon import DaemonThread, run_in_daemon_thread
from streamproc.errors import PluginFailed
from streamproc.fusion.api import Entity, FusionInput, FusionModel, Tagging
from streamproc.fusion.explanations import explanation_fault

Result: TypeAlias = Tagging | PluginFailed

CLOSE_S: Final = 2.0
"""How long a model may take to close before it is left behind."""

_SEQUENCES: Final = (tuple, list)
_NUMBERS: Final = (float, int)
_FLOAT: Final = frozenset({float})
_TYPE_CHARS: Final = 100
_TOLD_CHARS: Final = 2_000
"""Of a plugin's own error, in ours."""

logger = logging.getLogger(__name__)


class BatchLost(Exception):
    """The model was lost over a batch of several posts. It is back; tag each of them alone."""


class Runner(ABC):
    """Tags batches with one model: one at a time, in the order in which they came."""

    @abstractmethod
    async def tag(self, batch: Sequence[FusionInput], *, explain: bool = False) -> list[Result]:
        """One result for each post, in order; a post that cannot be tagged costs only itself.

        Raises:
            BatchLost: nobody knows which of several posts cost the model its life.
            PluginError: the model cannot be had any more.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let the running batch finish and give the model back."""


class ThreadRunner(Runner):
    """A model in a thread of its own, so that the event loop never waits for it."""

    def __init__(self, name: str, model: FusionModel) -> None:
        self._name = name
        self._model = model
        self._thread = DaemonThread(f"plugin-{name}")

    async def tag(self, batch: Sequence[FusionInput], *, explain: bool = False) -> list[Result]:
        return await self._thread.run(tag_safely, self._name, self._model, batch, explain)

    async def close(self) -> None:
        self._thread.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await run_in_daemon_thread(self._model.close)
        except TimeoutError:
            logger.warning("plugin %r did not close within %g s and is left to itself", self._name, CLOSE_S)


def tag_safely(
    name: str, model: FusionModel, batch: Sequence[FusionInput], explain: bool = False
) -> list[Result]:
    """Tag a batch; where it raises, halve it until the posts that make it raise stand alone.

    Args:
        name: the plugin's name, for the error.
        model: what tags.
        batch: n posts.
        explain: ask for explanations.

    Returns:
        n results, in order; `PluginFailed` for a post that failed alone in its batch, or whose
        tagging breaks the contract.
    """
    if not batch:
        return []
    try:
        taggings = [*(model.explain(batch) if explain else model.tag(batch))]
        if len(taggings) != len(batch):
            raise ValueError(f"{len(taggings)} taggings for {len(batch)} posts")
    except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, also SystemExit, costs one post
        if len(batch) == 1:
            return [_failed(name, error)]
        middle = len(batch) // 2
        return tag_safely(name, model, batch[:middle], explain) + tag_safely(
            name, model, batch[middle:], explain
        )
    return [checked(name, post, tagging) for post, tagging in zip(batch, taggings, strict=True)]


def _failed(name: str, error: BaseException) -> PluginFailed:
    try:
        told = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception that cannot even be told
        told = type(error).__name__
    failed = PluginFailed(f"plugin {name!r} raised {_shortened(told)}")
    failed.__cause__ = error
    return failed


def _shortened(told: str) -> str:
    if len(told) <= _TOLD_CHARS:
        return told
    return f"{told[:_TOLD_CHARS]}... ({len(told)} characters)"


def checked(name: str, post: FusionInput, tagging: Tagging) -> Result:
    """The tagging, of plain values that nobody else holds; or what breaks the contract in it.

    Args:
        name: the plugin's name, for the error.
        post: what was tagged.
        tagging: what the plugin said of it, of any type.
    """
    try:
        if not isinstance(tagging, Tagging):
            fault: str | None = f"expected a Tagging, got {type(tagging).__name__}"
        elif type(tagging.entities) not in _SEQUENCES or type(tagging.confidence) not in _SEQUENCES:
            fault = "expected entities and confidence as tuples"
        else:
            tagging = tagging if _is_plain(tagging) else _plain(tagging)
            fault = _fault(post, tagging)
    except Exception as error:  # noqa: BLE001 - fields that are not what they are declared to be
        fault = f"its tagging is malformed: {type(error).__name__}: {error}"
    return tagging if fault is None else PluginFailed(f"plugin {name!r}: {_shortened(fault)}")


def _is_plain(tagging: Tagging) -> bool:
    """Whether it can be published as it is. Tuples: what is a list now may change later."""
    return (
        type(tagging) is Tagging
        and type(tagging.entities) is tuple
        and type(tagging.confidence) is tuple
        and type(tagging.uncertainty) is float
        and all(
            type(e) is Entity and type(e.text) is str and type(e.type) is str and type(e.score) is float
            for e in tagging.entities
        )
        and _FLOAT.issuperset(map(type, tagging.confidence))
    )


def _plain(tagging: Tagging) -> Tagging:
    """The same of Python's own types: plugins may give numpy's numbers and strings, and types of theirs."""
    return Tagging(
        tuple(map(_plain_entity, tagging.entities)),
        tuple(map(_number, tagging.confidence)),
        _number(tagging.uncertainty),
        tagging.explanation,
    )


def _plain_entity(entity: Entity) -> Entity:
    if not isinstance(entity, Entity):
        return entity
    return Entity(_text(entity.text), _text(entity.type), entity.start, entity.end, _number(entity.score))


def _text(value: str) -> str:
    return str.__str__(value) if isinstance(value, str) else value


def _number(value: float) -> float:
    return float(value) if isinstance(value, _NUMBERS) and type(value) is not bool else value


def _fault(post: FusionInput, tagging: Tagging) -> str | None:
    """What is wrong: wrong offsets, no probabilities, a malformed explanation."""
    if not _is_probability(tagging.uncertainty):
        return f"uncertainty {tagging.uncertainty!r} is no number from 0 to 1"
    if not all(map(_is_probability, tagging.confidence)):
        return "confidence: expected numbers from 0 to 1"
    text, end = post.text, 0
    for entity in tagging.entities:
        fault = _entity_fault(text, end, entity)
        if fault is not None:
            return fault
        end = entity.end
    return None if tagging.explanation is None else explanation_fault(text, tagging.explanation)


def _entity_fault(text: str, end: int, entity: Entity) -> str | None:
    """What keeps an entity from being published behind one that ends at `end`."""
    if not isinstance(entity, Entity):
        return f"expected an Entity, got {type(entity).__name__}"
    start, stop = entity.start, entity.end
    if not (type(start) is int and type(stop) is int and end <= start < stop <= len(text)):
        return f"entity {entity.text!r} is not at {start!r}:{stop!r}, or out of order"
    if text[start:stop] != entity.text:
        return f"entity {entity.text!r} is not at {start}:{stop}"
    if type(entity.type) is not str or not 0 < len(entity.type) <= _TYPE_CHARS:
        return f"entity {entity.text!r}: expected a type, of up to {_TYPE_CHARS} characters"
    if not _is_probability(entity.score):
        return f"entity {entity.text!r}: expected a score from 0 to 1"
    entity.type.encode()  # what cannot be written as UTF-8 must not get as far as the output
    return None


def _is_probability(value: object) -> bool:
    return type(value) is float and 0.0 <= value <= 1.0
