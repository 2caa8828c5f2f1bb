"""Jetstream events to posts: the JSON that Bluesky's stream sends, read leniently.

An event must say which post it is about and, unless that is gone, hold its text. Everything
else (facets, embeds, dates) is written by clients as they please: a part that is not of the
documented form is left out and never costs the post its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler

from streamproc.errors import MalformedPost
from streamproc.posts import Author, Deletion, Media, Post

PLATFORM: Final = "bluesky"
COLLECTION: Final = "app.bsky.feed.post"

_MAX_NAME: Final = 1000
_PICTURES: Final = "https://cdn.bsky.app/img/feed_fullsize/plain"
_FILMS: Final = "https://video.bsky.app/watch"


def _or_none(value: Any, validate: ModelWrapValidatorHandler[Any]) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


T = TypeVar("T")
Lenient = Annotated[T | None, WrapValidator(_or_none)]
"""A part that may be missing or of any form; `None` then."""

LenientList = Annotated[
    list[Annotated[T | None, WrapValidator(_or_none)]],
    BeforeValidator(lambda value: value if isinstance(value, list) else []),
]
"""A list whose broken elements are `None`; empty where it is no list."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Link(_Part):
    cid: str = Field(alias="$link")


class _Blob(_Part):
    ref: _Link
    mime: Lenient[str] = Field(default=None, alias="mimeType")
    size: Lenient[int] = None


class _AspectRatio(_Part):
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class _Image(_Part):
    image: _Blob
    alt: Lenient[str] = None
    aspect: Lenient[_AspectRatio] = Field(default=None, alias="aspectRatio")


class _External(_Part):
    uri: Lenient[str] = None
    thumb: Lenient[_Blob] = None


class _Reference(_Part):
    """A strong reference; an embed of a quote and a picture has one more shell around it."""

    uri: Lenient[str] = None
    record: Lenient[_Reference] = None


class _Embed(_Part):
    """Any of `app.bsky.embed.*`: each fills its own of these parts."""

    images: LenientList[_Image] = []
    items: LenientList[_Image] = []
    video: Lenient[_Blob] = None
    alt: Lenient[str] = None
    aspect: Lenient[_AspectRatio] = Field(default=None, alias="aspectRatio")
    external: Lenient[_External] = None
    record: Lenient[_Reference] = None
    media: Lenient[_Embed] = None


class _Feature(_Part):
    tag: Lenient[str] = None
    did: Lenient[str] = None
    uri: Lenient[str] = None


class _Facet(_Part):
    features: LenientList[_Feature] = []


class _Reply(_Part):
    parent: _Reference


class _Label(_Part):
    val: str


class _Labels(_Part):
    values: LenientList[_Label] = []


class _Record(_Part):
    text: str
    created_at: Lenient[str] = Field(default=None, alias="createdAt")
    langs: LenientList[str] = []
    tags: LenientList[str] = []
    facets: LenientList[_Facet] = []
    reply: Lenient[_Reply] = None
    embed: Lenient[_Embed] = None
    labels: Lenient[_Labels] = None


class _Commit(_Part):
    collection: str
    operation: str
    rkey: str = Field(min_length=1)
    record: Lenient[_Record] = None


class Event(_Part):
    """One event of the stream; `commit` is there for what happened to a post."""

    did: str = Field(min_length=1)
    time_us: int
    kind: str
    commit: _Commit | None = None


def read_event(frame: str | bytes) -> Event:
    """Read one frame of the stream.

    Raises:
        MalformedPost: not JSON, or not an event.
    """
    try:
        return Event.model_validate_json(frame)
    except ValidationError as error:
        complaint = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, complaint["loc"])) or "event"
        raise MalformedPost(f"{where}: {complaint['msg']}") from None


def to_message(event: Event) -> Post | Deletion | None:
    """What an event says of a post; `None` where it is about something else.

    Raises:
        MalformedPost: about a post, but without a text or with an operation that is not known.
    """
    commit = event.commit
    if event.kind != "commit" or commit is None or commit.collection != COLLECTION:
        return None
    if len(event.did) + len(commit.rkey) > _MAX_NAME:
        raise MalformedPost(f"did and rkey: longer than {_MAX_NAME} characters together")
    if commit.operation == "delete":
        return Deletion(op="delete", platform=PLATFORM, id=f"{event.did}/{commit.rkey}")
    if commit.operation not in ("create", "update"):
        raise MalformedPost(f"commit.operation: {commit.operation!r} is none of create, update, delete")
    if commit.record is None:
        raise MalformedPost("commit.record: missing, or without a text")
    if "\x00" in commit.record.text:
        raise MalformedPost("commit.record.text: holds a NUL character")
    op: Literal["create", "update"] = "update" if commit.operation == "update" else "create"
    return _post(event.did, commit.rkey, op, commit.record)


def _post(did: str, rkey: str, op: Literal["create", "update"], record: _Record) -> Post:
    embed = record.embed or _Embed()
    features = [feature for facet in _there(record.facets) for feature in _there(facet.features)]
    external = [part.external.uri for part in _embeds(embed) if part.external]
    return Post(
        op=op,
        platform=PLATFORM,
        id=f"{did}/{rkey}",
        uri=f"at://{did}/{COLLECTION}/{rkey}",
        url=f"https://bsky.app/profile/{did}/post/{rkey}",
        text=record.text,
        created_at=_time(record.created_at),
        author=Author(id=did),
        lang=_unique(record.langs),
        reply_to=_post_id(record.reply.parent.uri) if record.reply else None,
        quote_of=_post_id(_quoted(embed)),
        hashtags=_unique([*(feature.tag for feature in features), *record.tags]),
        mentions=_unique(feature.did for feature in features),
        links=_unique([*(feature.uri for feature in features), *external]),
        media=tuple(medium for part in _embeds(embed) for medium in _media(did, part)),
        sensitive=any(not label.val.startswith("!") for label in _there(_labels(record))),
    )


def _embeds(embed: _Embed) -> Iterator[_Embed]:
    """An embed and what it wraps: a quote with pictures holds them in `media`."""
    yield embed
    if embed.media:
        yield embed.media


def _media(did: str, embed: _Embed) -> Iterator[Media]:
    for image in _there([*embed.images, *embed.items]):
        yield _medium(image.image, "image", image.alt, image.aspect, url=_picture(did, image.image))
    if embed.video:
        # Unlike the pictures' addresses, those of films escape the colons of a did.
        film = f"{_FILMS}/{quote(did, safe='')}/{embed.video.ref.cid}"
        yield _medium(
            embed.video,
            "video",
            embed.alt,
            embed.aspect,
            url=f"{film}/playlist.m3u8",
            preview=f"{film}/thumbnail.jpg",
        )
    if embed.external and embed.external.thumb:
        thumb = embed.external.thumb
        yield _medium(thumb, "card", None, None, url=embed.external.uri, preview=_picture(did, thumb))


def _medium(
    blob: _Blob,
    kind: str,
    alt: str | None,
    aspect: _AspectRatio | None,
    *,
    url: str | None,
    preview: str | None = None,
) -> Media:
    return Media(
        id=blob.ref.cid,
        type=kind,
        url=url,
        preview_url=preview,
        mime=blob.mime,
        alt=alt or None,
        width=aspect.width if aspect else None,
        height=aspect.height if aspect else None,
        size=blob.size,
    )


def _picture(did: str, blob: _Blob) -> str:
    return f"{_PICTURES}/{did}/{blob.ref.cid}@jpeg"


def _quoted(embed: _Embed) -> str | None:
    reference = embed.record
    while reference is not None and reference.uri is None:
        reference = reference.record
    return reference.uri if reference else None


def _post_id(uri: str | None) -> str | None:
    """`did/rkey` of a post's at:// address, the id under which the post itself comes."""
    did, _, rest = (uri or "").removeprefix("at://").partition("/")
    collection, _, rkey = rest.partition("/")
    return f"{did}/{rkey}" if collection == COLLECTION and did and rkey else None


def _labels(record: _Record) -> list[_Label | None]:
    return record.labels.values if record.labels else []


def _time(value: str | None) -> datetime | None:
    """The time that the client claims, where it is one at all."""
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None


def _there(parts: Iterable[T | None]) -> Iterator[T]:
    return (part for part in parts if part is not None)


def _unique(values: Iterable[str | None]) -> tuple[str, ...]:
    """In order, once each, without empty ones."""
    return tuple(dict.fromkeys(value for value in values if value))
