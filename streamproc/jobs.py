"""What the pipeline carries: a fetched batch, a post on its way, a plugin asked about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Protocol

from streamproc.deadletters import DeadLetter, attempts_before, first_read
from streamproc.entities import Revision, TaggedPost, Timings
from streamproc.errors import PicturesUnavailable, PluginFailed, StreamprocError
from streamproc.fusion.api import FusionInput, Need, Tagging
from streamproc.fusion.tagger import Tagger
from streamproc.ledger import Record
from streamproc.output import Evidence, Output, tagged_post
from streamproc.posts import Deletion, Post
from streamproc.routing import Look, Unavailable
from streamproc.vision.context import not_looked, still_to_look
from streamproc.vision.visuals import Missing, Modality, Visual


class FetchedBatch(Protocol):
    """Messages that were read together, each of which is done once.

    `streamproc.ledger.Batch` is the one that Kafka gives.
    """

    @property
    def revoked(self) -> bool:
        """Whether the messages belong to somebody else by now."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record: ...

    def done(self, index: int) -> None:
        """This message has ended: it need not be read again."""
        ...


class Job:
    """One message on its way.

    Attributes:
        message: what it says, once decoded; `None` before, and when it cannot be.
        turn: set when its predecessor of the same key has ended; `None` when there was none.
        given: visuals that the source of the post already knows.
        explain: whether somebody wants to know how the plugin came to its tags.
    """

    __slots__ = (
        "_index",
        "attempts",
        "batch",
        "explain",
        "given",
        "message",
        "read_at",
        "record",
        "revision",
        "turn",
    )

    def __init__(self, batch: FetchedBatch, index: int, read_at: float) -> None:
        self.batch = batch
        self._index = index
        self.record = record = batch[index]
        if record.headers:
            headers = dict(record.headers)
            self.revision = first_read(headers, record.partition, record.offset)
            self.attempts = attempts_before(headers) + 1
        else:
            self.revision = Revision(record.partition, record.offset)
            self.attempts = 1
        self.read_at = read_at
        self.message: Post | Deletion | None = None
        self.turn: asyncio.Event | None = None
        self.given: Mapping[Modality, Visual] | None = getattr(record, "given", None)
        self.explain: bool = getattr(record, "explain", False)

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.record.topic, self.record.partition, self.record.offset

    def done(self) -> None:
        """It has ended; its offset may be committed."""
        self.batch.done(self._index)

    def output(
        self,
        tagged: TaggedPost,
        key: str,
        shadow: bool,
        tagging: Tagging | None = None,
        evidence: Evidence | None = None,
    ) -> Output:
        """What goes out for this message."""
        return Output(tagged, key, shadow, self.record.offset, tagging, evidence)

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


class Call:
    """One plugin asked about one post.

    Attributes:
        unavailable: what becomes of it when nobody can look now.
        visuals: what the plugin is told about the pictures, by modality.
        result: what it said last, or why it cannot be asked.
    """

    __slots__ = (
        "fuse_ms",
        "job",
        "look",
        "look_ms",
        "post",
        "result",
        "shadow",
        "tagger",
        "unavailable",
        "visuals",
    )

    def __init__(
        self,
        job: Job,
        post: Post,
        tagger: Tagger,
        look: Look,
        shadow: bool,
        visuals: dict[Modality, Visual],
        unavailable: Unavailable = "degrade",
    ) -> None:
        self.job = job
        self.post = post
        self.tagger = tagger
        self.look = look
        self.shadow = shadow
        self.visuals = visuals
        self.unavailable = unavailable
        self.result: Tagging | PluginFailed | PicturesUnavailable | None = None
        self.fuse_ms = 0.0
        self.look_ms: float | None = None

    def input(self) -> FusionInput:
        """The post as the plugin sees it."""
        return FusionInput(self.post.text, self.post.lang, self.visuals)

    def looks_first(self) -> bool:
        """Whether the pictures come before the text: they always do, or the model needs them."""
        if not (modalities := still_to_look(self.visuals)):
            return False
        if self.look.mode == "always":
            return True
        needs = self.tagger.modalities
        return self.look.mode != "never" and any(needs[m] is Need.REQUIRED for m in modalities)

    def wants_look(self) -> bool:
        """Whether the text left the plugin so uncertain that the pictures are worth a look."""
        return (
            isinstance(self.result, Tagging)
            and self.look.asks(self.result.uncertainty)
            and bool(still_to_look(self.visuals))
        )

    def why_not_looked(self) -> str:
        """Why nobody looked at pictures that are there."""
        if self.look.threshold is not None and isinstance(self.result, Tagging):
            return f"certain: {self.result.uncertainty:.2g} ≤ {self.look.threshold:g}"
        return f"look = {self.look}"

    def lacks(self) -> str | None:
        """The required modality that is missing, and why; the plugin cannot work then."""
        for modality, need in self.tagger.modalities.items():
            visual = self.visuals[modality]
            if need is Need.REQUIRED and isinstance(visual, Missing):
                return f"needs {modality}: {visual.status}" + (
                    f", {visual.reason}" if visual.reason else ""
                )
        return None

    def output(self, tagging: Tagging, now: float) -> Output:
        """The tagged post; `now` is `time.monotonic()`."""
        if still_to_look(self.visuals):
            self.visuals = not_looked(self.visuals, self.why_not_looked())
        job = self.job
        tagged = tagged_post(
            self.post, tagging, self.tagger.info, self.visuals, job.revision, self.timings(now)
        )
        evidence = Evidence(self.post, self.visuals) if job.explain else None
        return job.output(tagged, self.post.key, self.shadow, tagging, evidence)

    def timings(self, now: float) -> Timings:
        """How long the post took so far; `now` is `time.monotonic()`."""
        job, created = self.job, self.post.created_at
        age = None
        if created is not None and job.record.timestamp > 0:
            age = round(job.record.timestamp - created.timestamp() * 1000, 1)
        return Timings(age, self.fuse_ms, self.look_ms, round((now - job.read_at) * 1000, 3))


def milliseconds_since(start: float) -> float:
    """Milliseconds since a `time.monotonic()`."""
    return round((monotonic() - start) * 1000, 3)
