"""What the `posts` topic carries: bodies and headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from streamproc.deadletters.letter import ATTEMPTS_HEADER, PREFIX, REVISION_HEADER
from streamproc.deadletters.marks import MARK_HEADER
from streamproc.deadletters.stored import StoredLetter
from streamproc.entities import PluginInfo, Revision, TaggedPost
from streamproc.errors import MalformedPost, UnsupportedSchemaVersion
from streamproc.jobs import Job
from streamproc.ledger import Batch
from streamproc.output import deleted_post, untagged_post
from streamproc.posts import Deletion, parse, to_json
from tests.fuzz.inputs import TEXTS, VALUES, as_json, damaged, objects
from tests.fuzz.target import Target, is_one_line, plain

_GOLDEN: Final = [
    file.read_bytes() for file in sorted((Path(__file__).parents[1] / "golden").glob("post-v*.json"))
]
_TIMES: Final = st.datetimes().map(str) | st.sampled_from(
    ["2026-11-01T10:00:00+14:00", "0001-01-01T00:00:00+23:59"]
)
_FIELDS: Final = {
    "op": st.sampled_from(["create", "update", "delete"]),
    "schema_version": st.sampled_from([0, 1, 2, True, 1.0, 10**20]),
    "platform": st.sampled_from(["bluesky", "x", "X", "a" * 64]),
    "id": TEXTS,
    "text": TEXTS,
    "created_at": _TIMES,
    "ingested_at": _TIMES,
    "author": objects({"id": TEXTS, "handle": TEXTS}),
    "lang": st.lists(TEXTS, max_size=2),
    "media": st.lists(objects({"type": TEXTS, "url": TEXTS, "alt": TEXTS, "size": VALUES}), max_size=2),
    "source": objects({"feed": TEXTS, "cursor": TEXTS}),
    "sensitive": st.booleans(),
}
BODIES: Final = st.binary(max_size=60) | damaged(_GOLDEN) | as_json(objects(_FIELDS)) | as_json(VALUES)
"""What may stand in a message of `posts`."""

_NAMES: Final = st.sampled_from(
    [ATTEMPTS_HEADER, REVISION_HEADER, MARK_HEADER, f"{PREFIX}exception", f"{PREFIX}offset", "trace", ""]
) | st.text(max_size=5)
_VALUES: Final = (
    st.none()
    | st.binary(max_size=12)
    | st.sampled_from(
        [b"1:2", b"12", b"999999999", b"9" * 400, b"0:-1", "٣:٤".encode(), b"1:2 deleted", b" 1"]
    )
)
_PLUGIN: Final = PluginInfo("fuzz", "1")


@dataclass(frozen=True)
class _Message:
    """A record as a consumer has it."""

    headers: tuple[tuple[str, bytes | None], ...] = ()
    key: bytes | None = b"x:1"
    value: bytes | None = b"{}"
    topic: str = "posts"
    partition: int = 1
    offset: int = 7
    timestamp: int = 1_700_000_000_000


def _body(raw: bytes) -> None:
    try:
        message = parse(raw)
    except (MalformedPost, UnsupportedSchemaVersion) as error:
        is_one_line(str(error))
        return
    assert parse(to_json(message)) == message
    revision = Revision(0, 1)
    if isinstance(message, Deletion):
        out = deleted_post(message, _PLUGIN, revision)
    else:
        out = untagged_post(message, "empty text", _PLUGIN, revision)
    assert TaggedPost.from_json(out.to_json()) == out
    assert out.entity_key == f"{message.key}:fuzz"
    message.key.encode()


def _headers(given: Any) -> None:
    """A post that fails and goes round again keeps its own headers, its revision, and counts on."""
    key, value, headers = given
    first = _failed(_Message(tuple(headers), key, value))
    assert (first.key, first.body) == (key, value)
    assert first.read_at is not None
    assert first.own_headers() == [
        (name, told)
        for name, told in headers
        if name not in (ATTEMPTS_HEADER, REVISION_HEADER) and not name.startswith(PREFIX)
    ]
    again = first.headers_for_replay(first.headers)
    second = _failed(_Message(tuple(again), key, value, partition=3, offset=99))
    assert second.revision == first.revision
    assert second.attempts == min(first.attempts + 1, second.attempts) >= 1
    assert second.own_headers() == first.own_headers()


def _failed(message: Any) -> StoredLetter:
    """The letter of a message, read back from where it lies."""
    letter = Job.of(Batch([message]), 0, 0.0).letter(MalformedPost("not\nso\ud800"), "decode")
    lying: Any = _Message(tuple(letter.all_headers()), letter.key, letter.body, "dead", 1, 3)
    return StoredLetter.read(lying)


TARGETS: Final = (
    Target("posts", BODIES, plain(_body), relatives=60),
    Target(
        "headers",
        st.tuples(
            st.none() | st.binary(max_size=8),
            st.none() | st.binary(max_size=8),
            st.lists(st.tuples(_NAMES, _VALUES), max_size=4),
        ),
        plain(_headers),
        relatives=60,
    ),
)
