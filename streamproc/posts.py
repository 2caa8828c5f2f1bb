"""Post, Author, Media, Deletion: what comes in.

The wire form is one JSON object a Kafka message. `parse` validates straight from bytes, once;
everything behind it works on frozen structs. (A pydantic model takes three times as long to read, and
several times the memory, which costs as much again while thousands of posts are on their way.)
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import orjson
from msgspec import Meta, Struct
from msgspec.structs import replace

from streamproc.errors import MalformedPost, UnsupportedSchemaVersion

SCHEMA_VERSION: Final = 1

_PLATFORM: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_PLATFORM_CHARS: Final = 64
"""A longer name is none, and is not remembered: a thousand of a megabyte each would be a gigabyte."""
Platform = Annotated[str, Meta(extra_json_schema={"pattern": _PLATFORM})]
"""Lower-case name of the network; without `:`, so that `platform:id` can be taken apart."""

Timestamp = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]
"""A time with its zone (RFC 3339); one without a zone is read as UTC."""

PostId = Annotated[str, Meta(min_length=1, max_length=1024)]


class Author(Struct, frozen=True, gc=False):
    """Who wrote the post, as the platform names them."""

    id: str
    handle: str | None = None
    display_name: str | None = None


class Media(Struct, frozen=True, gc=False, kw_only=True):
    """A picture, film or sound of the post. Its bytes stay where `url` says; `size` is how many."""

    id: str | None = None
    type: str = "image"
    url: str | None = None
    preview_url: str | None = None
    mime: str | None = None
    alt: str | None = None
    width: int | None = None
    height: int | None = None
    size: int | None = None


class Source(Struct, frozen=True, gc=False):
    """The feed that brought the post, and where in the feed it stood."""

    feed: str
    cursor: str | None = None


class Post(Struct, frozen=True, gc=False, kw_only=True):
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


class Deletion(Struct, frozen=True, gc=False, kw_only=True):
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


Message: TypeAlias = Post | Deletion
"""What the `posts` topic carries: a union on `op`, which defaults to create."""

_NOT_IN_JSON: Final = (bytes, bytearray, memoryview, datetime, date, time, timedelta, UUID, Decimal)
_read_post: Final = msgspec.json.Decoder(Post, strict=False).decode
_read_deletion: Final = msgspec.json.Decoder(Deletion, strict=False).decode


def parse(raw: bytes | None) -> Message:
    """Read one message of the `posts` topic.

    Args:
        raw: the message's value, UTF-8 JSON.

    Raises:
        MalformedPost: not JSON, not UTF-8, a missing field or one of the wrong type.
        UnsupportedSchemaVersion: written by a newer release than this one.
    """
    if not raw:
        raise MalformedPost("empty message: expected a JSON object with platform, id and text")
    message: Message
    try:
        message = _read_post(raw)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        # The common case pays for one reading only; what failed it is looked at again with care.
        message = _parse_slowly(raw)
    if message.schema_version > SCHEMA_VERSION:
        raise UnsupportedSchemaVersion(message.schema_version, SCHEMA_VERSION)
    if len(message.platform) > _PLATFORM_CHARS or not _is_platform(message.platform):
        raise MalformedPost(f"platform: expected a lower-case name that matches {_PLATFORM}")
    created, text = (message.created_at, message.text) if isinstance(message, Post) else (None, "")
    if "\x00" in text or "\x00" in message.id:
        raise MalformedPost("id or text: holds a NUL character; expected text that stores can keep")
    ingested = message.ingested_at
    if created is not None and created.tzinfo is None:
        message = replace(message, created_at=created.replace(tzinfo=UTC))
    if ingested is not None and ingested.tzinfo is None:
        message = replace(message, ingested_at=ingested.replace(tzinfo=UTC))
    return message


def to_json(message: Message) -> bytes:
    """A message as the `posts` topic has it: UTF-8 JSON, without the fields that say nothing."""
    return msgspec.json.encode(_present(msgspec.to_builtins(message)))


def checked(message: Message) -> Message:
    """A message that code made, as its readers will have it.

    Raises:
        MalformedPost, UnsupportedSchemaVersion: they could not read it; code may put anything into
            its fields.
    """
    found: Message
    try:
        plain = msgspec.to_builtins(message, builtin_types=_NOT_IN_JSON)
        if isinstance(message, Deletion):
            found = msgspec.convert(plain, Deletion)
        else:
            found = msgspec.convert(plain, Post)
        return parse(to_json(found))
    except msgspec.ValidationError as error:
        raise MalformedPost(_explain(error)) from None
    except (MalformedPost, UnsupportedSchemaVersion):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the types of its fields raise
        raise MalformedPost(f"no post: {type(error).__name__}: {error}") from None


@lru_cache(maxsize=1024)
def _is_platform(name: str) -> bool:
    return re.fullmatch(_PLATFORM, name) is not None


def _parse_slowly(raw: bytes) -> Message:
    try:
        raw.decode()
        value = orjson.loads(raw)
    except UnicodeDecodeError as error:
        where = f"byte 0x{raw[error.start]:02x} at position {error.start}"
        raise MalformedPost(f"not UTF-8: {where}; expected a JSON object in UTF-8") from None
    except orjson.JSONDecodeError as error:
        raise MalformedPost(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise MalformedPost(f"expected a JSON object, got {type(value).__name__}")
    version = value.get("schema_version")
    if type(version) is int and version > SCHEMA_VERSION:
        raise UnsupportedSchemaVersion(version, SCHEMA_VERSION)
    try:
        return _read_deletion(raw) if value.get("op") == "delete" else _read_post(raw)
    except msgspec.ValidationError as error:
        raise MalformedPost(_explain(error)) from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise MalformedPost(f"not JSON that can be read: {error}") from None


def _explain(error: msgspec.ValidationError) -> str:
    """The complaint with its field in front; it never holds the post's own content."""
    complaint, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").lstrip(".") or "post"
    return f"{field}: {complaint.strip()}"


def _present(value: Any) -> Any:
    """The same without `None`s, however deep."""
    if isinstance(value, dict):
        return {name: _present(part) for name, part in value.items() if part is not None}
    return [_present(part) for part in value] if isinstance(value, list | tuple) else value
