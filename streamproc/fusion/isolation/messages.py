"""Messages between a worker and the process of a plugin.

A message is a pickle; the arrays in it travel beside it, as they lie in memory.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar, Final, TypeAlias

from streamproc.fusion.api import FusionInput, Tagging
from streamproc.fusion.runner import Result
from streamproc.settings import PluginSettings
from streamproc.vision.visuals import Modality, Visual

_HEAD: Final = struct.Struct(">4sII")
"""Sign, bytes of the pickle, number of arrays."""
_LENGTH: Final = struct.Struct(">Q")
_SIGN: Final = b"spf1"
_MOST_BYTES: Final = 4 * 1024**3
_OURS: Final = frozenset({"streamproc", "numpy", "collections"})

Packed: TypeAlias = tuple[bytearray, list[bytearray]]
"""A message as it came: its pickle, and its arrays."""


@dataclass(frozen=True, slots=True)
class Order:
    """The first message to the process: what to load, and how much to log."""

    name: str
    settings: PluginSettings | None
    log_level: int


@dataclass(frozen=True, slots=True)
class Request:
    """A micro-batch to be tagged, its posts as columns, which are packed in a third of the time.

    `number` comes back with the answer.
    """

    number: int
    explain: bool
    texts: list[str]
    langs: list[tuple[str, ...]]
    visuals: list[Mapping[Modality, Visual]]

    @classmethod
    def of(cls, number: int, posts: Sequence[FusionInput], explain: bool) -> Request:
        """From the posts of a micro-batch."""
        return cls(
            number,
            explain,
            [post.text for post in posts],
            [post.lang for post in posts],
            [post.visuals for post in posts],
        )

    def posts(self) -> list[FusionInput]:
        """The micro-batch again."""
        return list(map(FusionInput, self.texts, self.langs, self.visuals))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plugin says of each post: as columns where nothing failed or was explained.

    A plugin that forks may answer twice: the number tells.
    """

    number: int
    results: list[Result]
    columns: tuple[list[Any], list[Any], list[Any]] | None = None

    @classmethod
    def of(cls, number: int, results: list[Result]) -> Answer:
        """From the results of a micro-batch."""
        taggings = [r for r in results if isinstance(r, Tagging) and r.explanation is None]
        if len(taggings) < len(results):
            return cls(number, results)
        entities = [tagging.entities for tagging in taggings]
        confidence = [tagging.confidence for tagging in taggings]
        return cls(number, [], (entities, confidence, [tagging.uncertainty for tagging in taggings]))

    def all_results(self) -> list[Result]:
        """The results again."""
        return self.results if self.columns is None else list(map(Tagging, *self.columns))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer: the plugin cannot be loaded, or its results cannot leave the process."""

    why: str


class BrokenFrame(Exception):
    """What came is no message: whoever sent it is out of step for good."""


def pack(message: object) -> list[bytes | memoryview]:
    """A message as pieces to be sent one after the other."""
    arrays: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=arrays.append)
    raw = [array.raw() for array in arrays]
    lengths = b"".join(_LENGTH.pack(array.nbytes) for array in raw)
    return [_HEAD.pack(_SIGN, len(body), len(raw)) + lengths + body, *raw]


def frame() -> Generator[int, bytearray, Packed]:
    """Takes in one message, piece by piece: yields how many bytes it needs next, returns the message.

    Raises:
        BrokenFrame: what came is no message.
    """
    sign, size, count = _HEAD.unpack((yield _HEAD.size))
    if sign != _SIGN or size + count * _LENGTH.size > _MOST_BYTES:
        raise BrokenFrame
    lengths = []
    for _ in range(count):
        lengths.append(_LENGTH.unpack((yield _LENGTH.size))[0])  # noqa: PERF401 - a list cannot yield
    if size + sum(lengths) > _MOST_BYTES:
        raise BrokenFrame
    body = yield size
    arrays = []
    for length in lengths:
        arrays.append((yield length))  # noqa: PERF401
    return body, arrays


def receive(read: Callable[[int], bytearray]) -> Packed:
    """The next message, from a `read` that waits and gives exactly so many bytes.

    Raises:
        BrokenFrame: what comes is no message.
    """
    pieces = frame()
    needed = next(pieces)
    while True:
        try:
            needed = pieces.send(read(needed))
        except StopIteration as whole:
            return whole.value  # type: ignore[no-any-return]


def unpack(body: bytearray, arrays: list[bytearray]) -> Any:
    """What a worker said."""
    return pickle.loads(body, buffers=arrays)


def unpack_plain(body: bytearray, arrays: list[bytearray]) -> Any:
    """What a plugin's process said: data of ours, nothing that would bring its modules in here.

    Raises:
        pickle.UnpicklingError: there is something else in it.
    """
    return _PlainUnpickler(BytesIO(body), buffers=arrays).load()


class _PlainUnpickler(pickle.Unpickler):
    _found: ClassVar[dict[tuple[str, str], Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] not in _OURS:
            raise pickle.UnpicklingError(f"a {module}.{name} stays in its process")
        found = self._found.get((module, name))
        if found is None:
            found = self._found[module, name] = super().find_class(module, name)
        return found
