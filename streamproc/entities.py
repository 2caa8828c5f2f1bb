"""Entity, TaggedPost and what they are made of: what goes out.

The pipeline makes them itself, so nothing has to be validated on the way out. They are structs: made
and written in a third of the time that dataclasses take.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from streamproc.posts import Timestamp

SCHEMA_VERSION: Final = 1

View = Literal["text", "image+text"]
VisualStatus = Literal["used", "absent", "unavailable", "skipped"]


class Entity(Struct, frozen=True, gc=False):
    """A named entity: `post.text[start:end] == text`, offsets in code points.

    `type` is the model's label without its BIO prefix (PER, LOC, ORG, MISC for the default
    model); `score` is the model's probability of the whole span, 0 to 1.
    """

    text: str
    type: str
    start: int
    end: int
    score: float


class PluginInfo(Struct, frozen=True, gc=False):
    """Which plugin tagged, and with which trained model."""

    name: str
    version: str
    model: str | None = None
    model_version: str | None = None


class VisualUse(Struct, frozen=True, gc=False):
    """What became of one visual modality for one post.

    `used`: the model saw it. `absent`: the post has no such thing. `unavailable`: it could not
    be had, `reason` says why. `skipped`: it was not looked for, `reason` says why.
    """

    status: VisualStatus
    reason: str | None = None


class Revision(Struct, frozen=True, order=True, gc=False):
    """Where the post was first read; the higher one of a post is the newer one."""

    partition: int
    offset: int


class Timings(Struct, frozen=True, gc=False):
    """Milliseconds: from `created_at` to reading, then in the plugin, at the picture, in all."""

    age_ms: float | None = None
    fuse_ms: float | None = None
    look_ms: float | None = None
    total_ms: float | None = None


class TaggedPost(Struct, frozen=True, kw_only=True, gc=False):
    """One post as one plugin tagged it, or (`op=delete`) the word that it is gone.

    `entity_key` names post and plugin: consumers keep the highest `revision` of each.
    `idempotency_key` is the same after a redelivery. `skipped` says why no plugin was asked
    (an empty text); the entities are then none.
    """

    schema_version: int = SCHEMA_VERSION
    op: Literal["create", "update", "delete"]
    post_id: str
    platform: str
    author_id: str | None = None
    created_at: Timestamp | None = None
    entities: tuple[Entity, ...] = ()
    plugin: PluginInfo
    view: View = "text"
    visuals: dict[str, VisualUse] = field(default_factory=dict)
    uncertainty: float | None = None
    skipped: str | None = None
    timings: Timings = field(default_factory=Timings)
    revision: Revision
    entity_key: str
    idempotency_key: str

    def to_json(self) -> bytes:
        """UTF-8 JSON, one line."""
        return _write(self)

    @classmethod
    def from_json(cls, raw: bytes) -> TaggedPost:
        """Read a message of the `entities` topic.

        Raises:
            msgspec.DecodeError: it is none; says where.
        """
        return _read(raw)


_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder(TaggedPost).decode
