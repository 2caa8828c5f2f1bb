"""What the pipeline carries: a fetched batch, a post on its way, a plugin asked about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

from msgspec import Struct

from streamproc.deadletters import DeadLetter, attempts_before, first_read
from streamproc.entities import Revision, TaggedPost, Timings
from streamproc.errors import PicturesUnavailable, PluginFailed, StreamprocError
from streamproc.fusion.api import Tagging
from streamproc.fusion.tagger import Tagger
from streamproc.ledger import Record
from streamproc.output import Evidence, Output, tagged_post
from streamproc.posts import Deletion, Post
from streamproc.routing import Look, Unavailable
from streamproc.vision.context import KnownVisuals, not_looked
from streamproc.vision.visuals import Missing, Modality, Visual


class FetchedBatch(Protocol):
    """Messages that were read together, each of which is done once.

    `streamproc.ledger.Batch` is the one that Kafka gives.
    """

    @property
    def annotated(self) -> bool:
        """Whether the messages carry `given` and `explain`, which become those of their jobs."""
        ...

    @property
    def revoked(self) -> bool:
        """Whether the messages belong to somebody else by now."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record: ...

    def done(self, *indices: int) -> None:
        """These messages have ended: they need not be read again."""
        ...


class Job(Struct, eq=False):
    """One message on its way.

    Attributes:
        index: within the batch.
        read_at: `time.monotonic()`.
        message: what it says, once decoded; `None` before, and when it cannot be.
        key: the message's, once decoded.
        turn: set when its predecessor of the same key has ended; `None` when there was none.
        given: visuals that the source of the post already knows.
        explain: whether somebody wants to know how the plugin came to its tags.
    """

    batch: FetchedBatch
    index: int
    read_at: float
    record: Record
    revision: Revision
    attempts: int = 1
    message: Post | Deletion | None = None
    key: str = ""
    turn: asyncio.Event | None = None
    given: Mapping[Modality, Visual] | None = None
    explain: bool = False

    @classmethod
    def of(cls, batch: FetchedBatch, index: int, read_at: float) -> Job:
        """The message at a place in a batch that was read at a time."""
        record = batch[index]
        if record.headers:
            headers = dict(record.headers)
            revision = first_read(headers, record.partition, record.offset)
            job = cls(batch, index, read_at, record, revision, attempts_before(headers) + 1)
        else:
            job = cls(batch, index, read_at, record, Revision(record.partition, record.offset))
        if batch.annotated:
            job.given, job.explain = record.given, record.explain  # type: ignore[attr-defined]
        return job

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.record.topic, self.record.partition, self.record.offset

    def output(self, tagged: TaggedPost, shadow: bool) -> Output:
        """What goes out for this message where no plugin was asked."""
        return Output(tagged, self.key, shadow, self.record.offset)

    def letter(self, error: StreamprocError, stage: str, plugin: str | None = None) -> DeadLetter:
        """The dead letter of this message."""
        record = self.record
        return DeadLetter(
            key=record.key,
            body=record.value,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp,
            error=error,
            stage=stage,
            attempts=self.attempts,
            plugin=plugin,
            revision=self.revision,
            headers=record.headers,
            origin=record.offset,
        )


class Call(Struct, eq=False):
    """One plugin asked about one post.

    Attributes:
        known: what the plugin is told about the pictures, and what a look could still give.
        unavailable: what becomes of it when nobody can look now.
        result: what it said last, or why it cannot be asked.
    """

    job: Job
    post: Post
    tagger: Tagger
    look: Look
    shadow: bool
    known: KnownVisuals
    unavailable: Unavailable = "degrade"
    result: Tagging | PluginFailed | PicturesUnavailable | None = None
    fuse_ms: float = 0.0
    look_ms: float | None = None

    def looks_first(self) -> bool:
        """Whether the pictures come before the text: they always do, or the model needs them."""
        if not self.known.to_look:
            return False
        if self.look.mode == "always":
            return True
        required = self.tagger.required
        return self.look.mode != "never" and any(m in required for m in self.known.to_look)

    def wants_look(self) -> bool:
        """Whether the text left the plugin so uncertain that the pictures are worth a look."""
        return (
            bool(self.known.to_look)
            and isinstance(self.result, Tagging)
            and self.look.asks(self.result.uncertainty)
        )

    def saw(self, seen: Mapping[Modality, Visual]) -> None:
        """Somebody has looked; nobody will look again."""
        self.known = KnownVisuals({**self.known.visuals, **seen}, ())

    def why_not_looked(self) -> str:
        """Why nobody looked at pictures that are there."""
        if self.look.threshold is not None and isinstance(self.result, Tagging):
            return f"certain: {self.result.uncertainty:.2g} ≤ {self.look.threshold:g}"
        return f"look = {self.look}"

    def lacks(self) -> str | None:
        """The required modality that is missing, and why; the plugin cannot work then."""
        for modality in self.tagger.required:
            visual = self.known.visuals[modality]
            if isinstance(visual, Missing):
                return f"needs {modality}: {visual.status}" + (
                    f", {visual.reason}" if visual.reason else ""
                )
        return None

    def output(self, tagging: Tagging, now: float) -> Output:
        """The tagged post; `now` is `time.monotonic()`."""
        if self.known.to_look:
            self.known = not_looked(self.known, self.why_not_looked())
        job, post, visuals = self.job, self.post, self.known.visuals
        record, created, age = job.record, post.created_at, None
        if created is not None and record.timestamp > 0:
            age = float(record.timestamp - int(created.timestamp() * 1000))
        timings = Timings(age, self.fuse_ms, self.look_ms, int((now - job.read_at) * 1e6) / 1000)
        tagged = tagged_post(post, tagging, self.tagger.info, visuals, job.revision, timings)
        evidence = Evidence(post, visuals) if job.explain else None
        return Output(tagged, job.key, self.shadow, record.offset, tagging, evidence)


def milliseconds_since(start: float) -> float:
    """Milliseconds since a `time.monotonic()`."""
    return int((monotonic() - start) * 1e6) / 1000
