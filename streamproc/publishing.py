"""The last step of a post: delivered, dead-lettered or skipped, and only then its offset is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import groupby, islice
from operator import attrgetter
from time import monotonic
from typing import Final

from streamproc.deadletters import DeadLetter
from streamproc.errors import PicturesUnavailable, PluginFailed, PostError
from streamproc.fusion.api import Tagging
from streamproc.jobs import Call, Job
from streamproc.output import Output, Sink
from streamproc.posts import Deletion
from streamproc.shadows import Shadows
from streamproc.telemetry import Counts

logger = logging.getLogger(__name__)

_STAGES: Final[dict[type[PostError], str]] = {PluginFailed: "fuse", PicturesUnavailable: "look"}


class Publisher:
    """Delivers what became of posts, counts it, and ends them.

    Args:
        sink: where tagged posts and dead letters go.
        counts: where it is counted.
        shadows: told when a shadow has ended with a post.
        ended: called with posts that have ended.
    """

    def __init__(
        self, sink: Sink, counts: Counts, shadows: Shadows, ended: Callable[[Sequence[Job]], None]
    ) -> None:
        self._sink = sink
        self._counts = counts
        self._shadows = shadows
        self._ended = ended

    async def publish(self, calls: Sequence[Call]) -> None:
        """Deliver what the plugins said. A post has ended with its primary; its shadows may take longer."""
        tagged: list[Call] = []
        outputs: list[Output] = []
        failed: list[tuple[Call, PostError]] = []
        now = monotonic()
        for call in calls:
            result = call.result
            if call.job.batch.revoked:
                self._drop_call(call)
            elif isinstance(result, Tagging):
                tagged.append(call)
                outputs.append(call.output(result, now))
            elif result is not None:
                failed.append((call, result))
        reasons = await self._sink.publish(outputs) if outputs else []
        ended: list[Job] = []
        for call, output, reason in zip(tagged, outputs, reasons, strict=True):
            if reason is not None:
                failed.append((call, reason))
            elif call.shadow:
                self._shadows.leave(call.tagger)
            else:
                self._counts.tagged += 1
                self._counts.entities += len(output.tagged.entities)
                ended.append(call.job)
        self.end(ended)
        await self._fail(failed)

    async def publish_untagged(self, ended: Sequence[tuple[Job, list[Output]]]) -> None:
        """Deliver the outputs of deletions and empty texts; then these posts have ended."""
        reasons = iter(await self._sink.publish([output for _, outputs in ended for output in outputs]))
        letters = []
        for job, outputs in ended:
            refused = [reason for reason in islice(reasons, len(outputs)) if reason is not None]
            if refused:
                letters.append((job, job.letter(refused[0], "publish")))
                continue
            if isinstance(job.message, Deletion):
                self._counts.deleted += 1
            else:
                self._counts.empty += 1
            self.end([job])
        await self.bury(letters)

    async def _fail(self, failed: Sequence[tuple[Call, PostError]]) -> None:
        """A primary that failed makes a dead letter; a shadow that failed costs nobody anything."""
        letters = []
        for call, error in failed:
            if call.shadow:
                self._counts.shadow_failed += 1
                logger.warning("shadow failed: %s", error)
                self._shadows.leave(call.tagger)
            else:
                stage = _STAGES.get(type(error), "publish")
                letters.append((call.job, call.job.letter(error, stage, call.tagger.info.name)))
        await self.bury(letters)

    async def bury(self, letters: Sequence[tuple[Job, DeadLetter]]) -> None:
        """Deliver dead letters; then their posts have ended."""
        if not letters:
            return
        current = [(job, letter) for job, letter in letters if not job.batch.revoked]
        if current:
            await self._sink.bury([letter for _, letter in current])
        for job, letter in letters:
            if job.batch.revoked:
                self.drop(job)
            else:
                self._counts.dead[type(letter.error).__name__] += 1
                logger.warning(
                    "dead letter, %s, %s %d:%d: %s",
                    letter.stage,
                    letter.topic,
                    letter.partition,
                    letter.offset,
                    letter.error,
                )
                self.end([job])

    def skip(self, job: Job, reason: str) -> None:
        """The post ends by rule, without an output."""
        self._counts.skipped[reason] += 1
        self.end([job])

    def drop(self, job: Job) -> None:
        """The post belongs to another worker by now, which reads it again."""
        self._counts.dropped += 1
        self.end([job])

    def end(self, jobs: Sequence[Job]) -> None:
        """The posts have ended: their offsets are done."""
        for batch, its in groupby(jobs, attrgetter("batch")):
            batch.done(*[job.index for job in its])
        self._ended(jobs)

    def _drop_call(self, call: Call) -> None:
        if call.shadow:
            self._shadows.leave(call.tagger)
        else:
            self.drop(call.job)
