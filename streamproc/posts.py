"""Post, Author, Media, Deletion: what comes in.

The wire form is one JSON object a Kafka message. `parse` validates straight from
bytes, once; everything behind it works on the frozen models.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json

from streamproc.errors import MalformedPost, UnsupportedSchemaVersion

SCHEMA_VERSION: Final = 1


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


Timestamp = Annotated[datetime, AfterValidator(_aware)]
"""A time with its zone; one without a zone is read as UTC."""

Platform = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""Lower-case name of the network; without `:`, so that `platform:id` can be taken apart."""

PostId = Annotated[str, Field(min_length=1, max_length=1024)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Author(_Wire):
    """Who wrote the post, as the platform names them."""

    id: str
    handle: str | None = None
    display_name: str | None = None


class Media(_Wire):
    """A picture, film or sound that the post carries. The bytes stay where `url` says."""

    id: str | None = None
    type: str = "image"
    url: str | None = None
    preview_url: str | None = None
    mime: str | None = None
    alt: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = Field(default=None, description="bytes")


class Source(_Wire):
    """The feed that brought the post, and where in the feed it stood."""

    feed: str
    cursor: str | None = None


class Post(_Wire):
    """A post that was written (`create`) or rewritten (`update`)."""

    op: Literal["create", "update"] = "create"
    schema_version: int = SCHEMA_VERSION
    platform: Platform
    id: PostId
    text: str
    uri: str | None = None
    url: str | None = None
    created_at: Timestamp | None = None
    ingested_at: Timestamp | None = None
    author: Author | None = None
    lang: tuple[str, ...] = ()
    reply_to: str | None = None
    quote_of: str | None = None
    repost_of: str | None = None
    hashtags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    sensitive: bool = False
    source: Source | None = None

    @property
    def key(self) -> str:
        """Kafka key, `platform:id`: all that happens to one post stays in one partition."""
        return f"{self.platform}:{self.id}"

    def picture_urls(self) -> tuple[str, ...]:
        """Where the post's still pictures are: images themselves, previews of films."""
        return tuple(url for media in self.media if (url := _picture_url(media)) is not None)

    def alt_texts(self) -> tuple[str, ...]:
        """What the author wrote about the pictures; costs no look."""
        return tuple(media.alt for media in self.media if media.alt)


class Deletion(_Wire):
    """A post that its author took back."""

    op: Literal["delete"]
    schema_version: int = SCHEMA_VERSION
    platform: Platform
    id: PostId
    ingested_at: Timestamp | None = None
    source: Source | None = None

    @property
    def key(self) -> str:
        """Kafka key, `platform:id`, the same as the post's."""
        return f"{self.platform}:{self.id}"


def _picture_url(media: Media) -> str | None:
    if media.type == "image":
        return media.url or media.preview_url
    return media.preview_url


def _operation(value: Any) -> str:
    op = value.get("op", "create") if isinstance(value, dict) else getattr(value, "op", "create")
    return "delete" if op == "delete" else "post"


Message = Annotated[
    Annotated[Post, Tag("post")] | Annotated[Deletion, Tag("delete")], Discriminator(_operation)
]
"""What the `posts` topic carries: a union on `op`, which defaults to create."""

MESSAGE: Final[TypeAdapter[Post | Deletion]] = TypeAdapter(Message)
_VALIDATE_POST: Final = TypeAdapter(Post).validator.validate_json


def parse(raw: bytes | None) -> Post | Deletion:
    """Read one message of the `posts` topic.

    Args:
        raw: the message's value, UTF-8 JSON.

    Raises:
        MalformedPost: not JSON, not UTF-8, a missing field or one of the wrong type.
        UnsupportedSchemaVersion: written by a newer release than this one.
    """
    if not raw:
        raise MalformedPost("empty message: expected a JSON object with platform, id and text")
    try:
        message: Post | Deletion = _VALIDATE_POST(raw)
    except ValidationError:
        # The common case pays for one validation only; what failed it is looked at again with care.
        message = _parse_slowly(raw)
    if message.schema_version > SCHEMA_VERSION:
        raise UnsupportedSchemaVersion(message.schema_version, SCHEMA_VERSION)
    if "\x00" in message.id or (isinstance(message, Post) and "\x00" in message.text):
        raise MalformedPost("id or text: holds a NUL character; expected text that stores can keep")
    return message


def _parse_slowly(raw: bytes) -> Post | Deletion:
    try:
        value = from_json(raw)
    except ValueError as error:
        raise MalformedPost(f"not UTF-8 JSON: {error}") from None
    if not isinstance(value, dict):
        raise MalformedPost(f"expected a JSON object, got {type(value).__name__}")
    version = value.get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        raise UnsupportedSchemaVersion(version, SCHEMA_VERSION)
    try:
        return MESSAGE.validate_json(raw)
    except ValidationError as error:
        raise MalformedPost(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """The first three complaints in one line, without the post's own content."""
    complaints = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [
        f"{'.'.join(str(part) for part in e['loc'][1:]) or 'post'}: {e['msg']}" for e in complaints[:3]
    ]
    if len(complaints) > 3:
        lines.append(f"and {len(complaints) - 3} more")
    return "; ".join(lines)
