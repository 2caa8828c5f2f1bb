"""From a tagging to the object that goes out, and the border over which it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from streamproc.deadletters import DeadLetter
from streamproc.entities import PluginInfo, Revision, TaggedPost, Timings, View, VisualUse
from streamproc.errors import PostError
from streamproc.fusion.api import Tagging
from streamproc.posts import Deletion, Post
from streamproc.vision.visuals import Modality, Seen, Visual


class Evidence(Struct, frozen=True):
    """What a plugin was shown: the post, and what was seen in its pictures or why nothing was."""

    post: Post
    visuals: Mapping[Modality, Visual]


class Output(Struct, frozen=True, gc=False):
    """One object to publish, with what it was made from.

    `origin` is whatever the source of posts put there to know its own again (a line number).
    `evidence` is kept for posts that are to be explained.
    """

    tagged: TaggedPost
    key: str
    shadow: bool
    origin: object = None
    tagging: Tagging | None = None
    evidence: Evidence | None = None


class Sink(Protocol):
    """Where tagged posts and dead letters go: Kafka for a worker, a file for `tag`."""

    async def publish(self, outputs: Sequence[Output]) -> list[PostError | None]:
        """Deliver, and wait until delivered; for each output the reason why it never can be.

        Raises:
            BrokerError: nothing can be delivered any more.
        """
        ...

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Deliver dead letters, and wait until delivered.

        Raises:
            BrokerError: nothing can be delivered any more.
        """
        ...


def tagged_post(
    post: Post,
    tagging: Tagging,
    plugin: PluginInfo,
    visuals: Mapping[Modality, Visual],
    revision: Revision,
    timings: Timings,
    skipped: str | None = None,
) -> TaggedPost:
    """What a plugin said of a post, as it is published; `skipped` says why it was not asked."""
    uses = visual_uses(visuals) if visuals else {}
    view: View = "image+text" if uses and _USED in uses.values() else "text"
    entity_key = f"{post.key}:{plugin.name}"
    return TaggedPost(
        op=post.op,
        post_id=post.id,
        platform=post.platform,
        author_id=post.author.id if post.author is not None else None,
        created_at=post.created_at,
        entities=tagging.entities,
        plugin=plugin,
        view=view,
        visuals=uses,
        uncertainty=tagging.uncertainty,
        skipped=skipped,
        timings=timings,
        revision=revision,
        entity_key=entity_key,
        idempotency_key=_idempotency_key(entity_key, revision, plugin),
    )


def untagged_post(post: Post, reason: str, plugin: PluginInfo, revision: Revision) -> TaggedPost:
    """A post that the plugin was not asked about, and why; it has no entities."""
    return tagged_post(post, _NOTHING, plugin, {}, revision, Timings(), reason)


def deleted_post(deletion: Deletion, plugin: PluginInfo, revision: Revision) -> TaggedPost:
    """The word that a post, and with it its entities, is gone."""
    entity_key = f"{deletion.key}:{plugin.name}"
    return TaggedPost(
        op="delete",
        post_id=deletion.id,
        platform=deletion.platform,
        plugin=plugin,
        revision=revision,
        entity_key=entity_key,
        idempotency_key=_idempotency_key(entity_key, revision, plugin),
    )


def visual_uses(visuals: Mapping[Modality, Visual]) -> dict[str, VisualUse]:
    """How the output tells what became of each modality."""
    return {modality: _visual_use(visual) for modality, visual in visuals.items()}


def _visual_use(visual: Visual) -> VisualUse:
    if isinstance(visual, Seen):
        return _USED
    if visual.reason is None and visual.status == "absent":
        return _ABSENT
    return VisualUse(visual.status, visual.reason)


_USED: Final = VisualUse("used")
_ABSENT: Final = VisualUse("absent")
_NOTHING: Final = Tagging((), (), 0.0)


def _idempotency_key(entity_key: str, revision: Revision, plugin: PluginInfo) -> str:
    return f"{entity_key}:{revision.partition}-{revision.offset}:{plugin.model_version or plugin.version}"
