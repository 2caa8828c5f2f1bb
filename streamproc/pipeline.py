"""The way of one post: decode → route → fuse → look → publish.

Posts that were fetched together go together. Each of them ends in exactly one of published,
dead-lettered or skipped by rule, and only then is its offset done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from streamproc.deadletters import DeadLetter
from streamproc.errors import PluginError, PluginFailed, PostError, TextTooLong, UnexpectedError
from streamproc.fusion.api import FusionInput, Tagging
from streamproc.fusion.tagger import Tagger
from streamproc.jobs import Call, FetchedBatch, Job, milliseconds_since
from streamproc.ledger import KeyLanes
from streamproc.looking import Looks
from streamproc.output import Output, Sink, deleted_post, untagged_post
from streamproc.posts import Deletion, Post, parse
from streamproc.publishing import Publisher
from streamproc.routing import Router, Skip
from streamproc.shadows import Shadows
from streamproc.telemetry import Counts
from streamproc.vision.api import Looking
from streamproc.vision.context import known_before_looking

logger = logging.getLogger(__name__)

_STARTED_AT_ONCE: Final = 64


class Pipeline:
    """Tags posts.

    Args:
        router: says which plugins tag a post and when its pictures are looked at.
        taggers: every plugin that a route names, by that name.
        looker: looks at pictures.
        sink: where tagged posts and dead letters go.
        text_chars: longest text that is tagged.
        shadow_posts: most posts that wait for one shadow.
        paused: told why posts wait on purpose, once some do, and `None` once none does.
    """

    def __init__(
        self,
        router: Router,
        taggers: Mapping[str, Tagger],
        looker: Looking,
        sink: Sink,
        *,
        text_chars: int,
        shadow_posts: int = 4_000,
        paused: Callable[[str | None], object] = lambda _: None,
    ) -> None:
        self.counts = Counts()
        self.looks = Looks(looker, self.counts, paused)
        self._router = router
        self._taggers = taggers
        self._shadows = Shadows(shadow_posts, self.counts)
        self._publisher = Publisher(sink, self.counts, self._shadows, self._leave_lanes)
        self._text_chars = text_chars
        self._lanes: KeyLanes[str, Job] = KeyLanes()

    async def process(self, batch: FetchedBatch) -> None:
        """Take the messages of a fetched batch all their way; returns when each has ended, for shadows too.

        Raises:
            BrokerError: nothing can be delivered any more; what is not done is read again.
        """
        jobs, letters = self._decode(batch)
        async with asyncio.TaskGroup() as tasks:
            # Each post has its place in its lane before anything is awaited: a batch that is read
            # later must not get ahead.
            first = []
            for job in jobs:
                if self._lanes.admit(job.key, job):
                    first.append(job)
                else:
                    job.turn = asyncio.Event()
                    tasks.create_task(self._process_in_turn(job, job.turn))
            if letters:
                tasks.create_task(self._publisher.bury(letters))
            await self._process_jobs(first)

    async def _process_in_turn(self, job: Job, turn: asyncio.Event) -> None:
        await turn.wait()
        await self._process_jobs([job])

    async def _process_jobs(self, jobs: Sequence[Job]) -> None:
        """Route, fuse, look and publish posts none of which waits for an earlier version of itself."""
        calls = await self._route(jobs)
        groups: dict[tuple[Tagger, bool], list[Call]] = {}
        async with asyncio.TaskGroup() as tasks:
            for index, call in enumerate(calls):
                if call.looks_first():
                    tasks.create_task(self._look_fuse_publish(call))
                    if not index % _STARTED_AT_ONCE:
                        await asyncio.sleep(0)  # thousands at once would hold up all who wait for an answer
                else:
                    groups.setdefault((call.tagger, call.shadow), []).append(call)
            for (tagger, _), group in groups.items():
                tasks.create_task(self._fuse_publish(tagger, group))

    async def _fuse_publish(self, tagger: Tagger, calls: Sequence[Call]) -> None:
        """The text first; only posts that leave the plugin uncertain have their pictures looked at."""
        async with asyncio.TaskGroup() as tasks:
            async for fused in self._fuse(tagger, calls):
                settled = []
                for call in fused:
                    if call.wants_look():
                        self.counts.tagged_twice += 1
                        tasks.create_task(self._look_fuse_publish(call))
                    else:
                        settled.append(call)
                tasks.create_task(self._publisher.publish(settled))

    async def _look_fuse_publish(self, call: Call) -> None:
        seen = await self.looks.look(call)
        if call.result is None or (seen and isinstance(call.result, Tagging)):
            async for _ in self._fuse(call.tagger, [call]):
                pass
        await self._publisher.publish([call])

    # -- decode ----------------------------------------------------------------------------

    def _decode(self, batch: FetchedBatch) -> tuple[list[Job], list[tuple[Job, DeadLetter]]]:
        """Bytes → posts and deletions; what is neither is a dead letter."""
        now = monotonic()
        jobs: list[Job] = []
        letters: list[tuple[Job, DeadLetter]] = []
        for index in range(len(batch)):
            job = Job.of(batch, index, now)
            try:
                message = parse(job.record.value)
                if isinstance(message, Post) and len(message.text) > self._text_chars:
                    raise TextTooLong(len(message.text), self._text_chars)
            except PostError as error:
                letters.append((job, job.letter(error, "decode")))
            except Exception as error:
                logger.exception("decode failed at %s-%d:%d", *job.place)
                letters.append((job, job.letter(UnexpectedError(f"decode: {error!r}"), "decode")))
            else:
                job.message, job.key = message, message.key
                jobs.append(job)
        self.counts.read += len(batch)
        return jobs, letters

    # -- route -----------------------------------------------------------------------------

    async def _route(self, jobs: Sequence[Job]) -> list[Call]:
        """Posts → the plugins that tag them. Deletions, empty texts and skipped posts end here."""
        calls: list[Call] = []
        letters: list[tuple[Job, DeadLetter]] = []
        ended: list[tuple[Job, list[Output]]] = []
        for job in jobs:
            message = job.message
            if message is None or job.batch.revoked:
                self._publisher.drop(job)
                continue
            if isinstance(message, Deletion):
                ended.append((job, self._deleted(job, message)))
                continue
            try:
                plan = self._router.route(message)
            except PostError as error:
                letters.append((job, job.letter(error, "route")))
                continue
            if isinstance(plan, Skip):
                self._publisher.skip(job, plan.reason)
            elif not message.text.strip():
                ended.append((job, self._empty(job, message, plan.plugins)))
            else:
                for index, name in enumerate(plan.plugins):
                    tagger = self._taggers[name]
                    if index and not self._shadows.admit(tagger):
                        continue
                    extracted = self.looks.looker.sees(tagger.widths) if message.media else ()
                    known = known_before_looking(message, tagger.modalities, job.given, extracted)
                    look = plan.look.with_threshold_of(tagger.look_threshold)
                    # Nobody waits for a shadow.
                    unavailable = "degrade" if index else plan.unavailable
                    calls.append(Call(job, message, tagger, look, index > 0, known, unavailable))
        if ended:
            await self._publisher.publish_untagged(ended)
        await self._publisher.bury(letters)
        return calls

    def _deleted(self, job: Job, deletion: Deletion) -> list[Output]:
        """One for each plugin that may have tagged the post: a deletion does not say which did."""
        return [
            job.output(deleted_post(deletion, self._taggers[name].info, job.revision), shadow)
            for shadow, names in ((False, self._router.primaries()), (True, self._router.shadows()))
            for name in names
        ]

    def _empty(self, job: Job, post: Post, plugins: Sequence[str]) -> list[Output]:
        infos = [self._taggers[name].info for name in plugins]
        return [
            job.output(untagged_post(post, "empty text", info, job.revision), shadow=index > 0)
            for index, info in enumerate(infos)
        ]

    # -- fuse ------------------------------------------------------------------------------

    async def _fuse(self, tagger: Tagger, calls: Sequence[Call]) -> AsyncIterator[list[Call]]:
        """Ask a plugin; calls come back in groups, as micro-batches finish, with their result."""
        able = []
        for call in calls:
            if call.tagger.modalities and (lack := call.lacks()) is not None:
                call.result = PluginFailed(f"plugin {tagger.info.name!r} {lack}")
            else:
                able.append(call)
        if len(able) < len(calls):
            yield [call for call in calls if isinstance(call.result, PluginFailed)]
        start = monotonic()
        # A post that others wait for, or that waited for a look, has waited enough.
        alone = all(call.job.turn is not None or call.look_ms is not None for call in able)
        explain = any([call.job.explain for call in able])  # noqa: C419 - half the time of a generator
        posts = [FusionInput(call.post.text, call.post.lang, call.known.visuals) for call in able]
        answered = bytearray(len(able))
        try:
            async for group in tagger.tag(posts, wait=not alone, explain=explain):
                fused, took = [], milliseconds_since(start)
                for index, result in group:
                    call = able[index]
                    call.result = result
                    call.fuse_ms += took
                    answered[index] = 1
                    fused.append(call)
                yield fused
        except PluginError as error:
            # A shadow that cannot be had any more costs nobody anything.
            if not all(call.shadow for call in calls):
                raise
            waiting = [call for call, done in zip(able, answered, strict=True) if not done]
            for call in waiting:
                call.result = PluginFailed(str(error))
            yield waiting

    # -- publish: streamproc/publishing.py --------------------------------------------------

    def _leave_lanes(self, jobs: Sequence[Job]) -> None:
        """The posts have ended: the next message of the same key may start."""
        release = self._lanes.release
        for job in jobs:
            successor = release(job.key) if job.message is not None else None
            if successor is not None and successor.turn is not None:
                successor.turn.set()
