"""Posts without a broker: what `streamproc tag` puts in Kafka's place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from streamproc.deadletters import DeadLetter
from streamproc.errors import MalformedPost, PostError
from streamproc.output import Output
from streamproc.vision.visuals import Modality, Visual

NO_TIME: Final = -1


@dataclass(slots=True)
class LocalRecord:
    """A line of a file in the form of a Kafka record; `offset` is its line number, from 1.

    `given` and `explain` become those of its `streamproc.jobs.Job`.
    """

    offset: int
    value: bytes
    given: Mapping[Modality, Visual] | None = None
    explain: bool = False
    topic: str = "input"
    partition: int = 0
    timestamp: int = NO_TIME
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(slots=True)
class LocalBatch:
    """Lines that were read together; nobody else can take them away."""

    records: Sequence[LocalRecord]
    ended: Callable[[int], None]
    revoked: bool = field(default=False, init=False)
    annotated: bool = field(default=True, init=False)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> LocalRecord:
        return self.records[index]

    def done(self, *indices: int) -> None:
        """These lines have ended."""
        for index in indices:
            self.ended(self.records[index].offset)


class OrderedSink:
    """Writes what became of each line in the order of the lines.

    Args:
        write: takes one JSON object, without its line end.
        observe: sees every tagged post as it is written (for a table, a page, a count).

    Attributes:
        failed: lines that cannot be tagged.
        malformed: those of them that are no posts.
    """

    def __init__(
        self, write: Callable[[bytes], object], observe: Callable[[Output], object] | None = None
    ) -> None:
        self.failed = 0
        self.malformed = 0
        self._write = write
        self._observe = observe
        self._expected: deque[int] = deque()
        self._made: dict[int, list[Output | bytes]] = {}
        self._ended: set[int] = set()

    def expect(self, line: int) -> None:
        """This line comes next; its turn is behind all that were expected before it."""
        self._expected.append(line)

    async def publish(self, outputs: Sequence[Output]) -> list[PostError | None]:
        """Keep these until it is their line's turn."""
        for output in outputs:
            self._made.setdefault(_line(output.origin), []).append(output)
        return [None] * len(outputs)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """An error object takes the place of the tagged post."""
        for letter in letters:
            self.fail(_line(letter.origin), letter.error, letter.stage)

    def fail(self, line: int, error: Exception, stage: str) -> None:
        """This line cannot be tagged."""
        self.failed += 1
        self.malformed += isinstance(error, MalformedPost)
        # What others raise may hold what UTF-8 has no bytes for.
        message = str(error).encode(errors="replace").decode()
        told = {"type": type(error).__name__, "message": message, "stage": stage}
        self._made.setdefault(line, []).append(orjson.dumps({"line": line, "error": told}))

    def end(self, line: int) -> None:
        """Nothing more comes for this line; writes all lines whose turn it is."""
        self._ended.add(line)
        while self._expected and self._expected[0] in self._ended:
            self._flush(self._expected.popleft())

    def _flush(self, line: int) -> None:
        self._ended.remove(line)
        skipped = orjson.dumps({"line": line, "skipped": "by rule"})
        for made in self._made.pop(line, [skipped]):
            self._write(made if isinstance(made, bytes) else made.tagged.to_json())
            if self._observe is not None and isinstance(made, Output):
                self._observe(made)


def _line(origin: object) -> int:
    if not isinstance(origin, int):
        raise TypeError(f"expected a line number, got {origin!r}")
    return origin
