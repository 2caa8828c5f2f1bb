"""Entity, TaggedPost and what they are made of: what goes out.

These are dataclasses: the pipeline makes them itself, so nothing has to be validated on the way out,
and orjson writes them as they are. They have no slots, which orjson reads three times as slowly, and
what is made anew for each post is not frozen, which takes twice as long; nobody changes it all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import orjson
from pydantic import TypeAdapter

SCHEMA_VERSION: Final = 1
_JSON: Final = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE

View = Literal["text", "image+text"]
VisualStatus = Literal["used", "absent", "unavailable", "skipped"]


@dataclass(frozen=True)
class Entity:
    """A named entity: `post.text[start:end] == text`, offsets in code points.

    `type` is the model's label without its BIO prefix (PER, LOC, ORG, MISC for the default
    model); `score` is the model's probability of the whole span, 0 to 1.
    """

    text: str
    type: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class PluginInfo:
    """Which plugin tagged, and with which trained model."""

    name: str
    version: str
    model: str | None = None
    model_version: str | None = None


@dataclass(frozen=True)
class VisualUse:
    """What became of one visual modality for one post.

    `used`: the model saw it. `absent`: the post has no such thing. `unavailable`: it could not
    be had, `reason` says why. `skipped`: it was not looked for, `reason` says why.
    """

    status: VisualStatus
    reason: str | None = None


@dataclass(order=True, unsafe_hash=True)
class Revision:
    """Where the post was first read; the higher one of a post is the newer one."""

    partition: int
    offset: int


@dataclass
class Timings:
    """Milliseconds: from `created_at` to reading, then in the plugin, at the picture, in all."""

    age_ms: float | None = None
    fuse_ms: float | None = None
    look_ms: float | None = None
    total_ms: float | None = None


@dataclass(kw_only=True)
class TaggedPost:
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
    created_at: datetime | None = None
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
        # orjson's own result holds on to several KiB; the copy without the line's end has its size.
        return orjson.dumps(self, option=_JSON)[:-1]


TAGGED_POST: Final[TypeAdapter[TaggedPost]] = TypeAdapter(TaggedPost)
"""Reads and describes tagged posts: for consumers, tests and `streamproc schema`."""
