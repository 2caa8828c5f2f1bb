"""Letters and marks as they are read back, without a broker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from streamproc.deadletters import DeadLetter
from streamproc.deadletters.filters import moment
from streamproc.deadletters.marks import is_mark, mark, read_mark
from streamproc.deadletters.stored import Place, State, StoredLetter, named_post
from streamproc.entities import Revision
from streamproc.errors import InputError, MalformedPost
from streamproc.jobs import Job


@dataclass
class Message:
    """A record by hand."""

    key: bytes | None = b"test:1"
    value: bytes | None = b"{}"
    headers: tuple[tuple[str, bytes], ...] = ()
    topic: str = "posts.deadletters"
    partition: int = 2
    offset: int = 40
    timestamp: int = 1_700_000_001_000


class OneMessage(list):
    """A fetched batch of one."""

    annotated = False
    revoked = False


def dead(**more: object) -> DeadLetter:
    fields = {
        "key": b"test:1", "body": b"{broken", "topic": "posts", "partition": 1, "offset": 7,
        "timestamp": 1_700_000_000_000, "error": MalformedPost("not JSON"), "stage": "decode",
        "attempts": 2,
        "revision": Revision(1, 3), "failed_at": 1_700_000_000.5,
        "headers": [("trace", b"abc"), ("trace", b"def")],
    }  # fmt: skip
    return DeadLetter(**{**fields, **more})


def stored(letter: DeadLetter) -> StoredLetter:
    return StoredLetter.read(Message(letter.key, letter.body, tuple(letter.all_headers())))


def test_a_letter_that_a_worker_wrote_is_read_back_as_it_was() -> None:
    read = stored(dead())
    assert (read.place, read.key, read.body) == (Place(2, 40), b"test:1", b"{broken")
    assert (read.error, read.message, read.stage, read.plugin) == (
        "MalformedPost",
        "not JSON",
        "decode",
        None,
    )
    assert (read.topic, read.read_at, read.revision) == ("posts", Place(1, 7), Revision(1, 3))
    assert (read.attempts, read.failed_at, read.left_behind) == (2, 1_700_000_000.5, None)
    assert read.own_headers() == [("trace", b"abc"), ("trace", b"def")]


def test_headers_that_make_no_sense_are_not_known_and_break_nothing() -> None:
    name = "__streamproc.errors."
    read = StoredLetter.read(
        Message(
            key=b"\xff\x00",
            headers=(
                (name + "exception", b"\xff\xfe"), (name + "offset", b"-4"),
                (name + "partition", b"x" * 400),
                (name + "failed_at", b"nan"), ("__streamproc.attempts", b"9" * 40),
                ("__streamproc.revision", b"1:"), (name + "body.bytes", b"many"), ("plain", None),
            ),  # type: ignore[arg-type]
        )
    )  # fmt: skip
    assert (read.error, read.key_text) == ("\\xff\\xfe", "\\xff\x00")
    assert (read.read_at, read.revision, read.attempts, read.topic) == (None, None, 0, None)
    assert read.failed_at == 1_700_000_001.0, "the time of the record stands in"


def test_a_replayed_post_goes_on_with_its_revision_and_its_attempts() -> None:
    headers = stored(dead(headers=[("trace", b"abc"), ("__streamproc.attempts", b"1")])).headers_for_replay(
        stored(dead()).headers
    )
    assert not [name for name, _ in headers if name.startswith("__streamproc.errors.")]
    assert [pair for pair in headers if not pair[0].startswith("__")] == [
        ("trace", b"abc"),
        ("trace", b"def"),
    ]
    job = Job.of(
        OneMessage([Message(headers=tuple(headers), topic="posts", partition=0, offset=900)]), 0, 0.0
    )
    assert (job.revision, job.attempts) == (Revision(1, 3), 3)


def test_a_letter_without_revision_takes_the_place_where_it_was_read() -> None:
    headers = dict(stored(dead(revision=None)).headers_for_replay(()))
    assert headers["__streamproc.revision"] == b"1:7"


@pytest.mark.parametrize("outcome", [State.REPLAYED, State.DELETED])
@pytest.mark.parametrize("key", [b"test:1", None, b"k" * 100_000])
def test_a_mark_says_what_became_of_which_letter(outcome: State, key: bytes | None) -> None:
    sent = mark("dead", stored(dead(key=key)), outcome)
    assert sent.partition == 2
    assert sent.key is not None or sent.value is not None, "Kafka takes no record of nothing"
    assert len(sent.key or b"") <= 2_000
    record = Message(sent.key, sent.value, tuple(sent.headers), offset=41)
    assert is_mark(record)
    assert read_mark(record) == (Place(2, 40), outcome)


@pytest.mark.parametrize("value", [b"3:40", b"2:41", b"2:90", b"2", b"\xff", b"", b"2:40 gone", b"-1:0"])
def test_a_mark_that_names_no_letter_before_it_says_nothing(value: bytes) -> None:
    record = Message(headers=(("__streamproc.replayed", value),), offset=41)
    assert is_mark(record)
    assert read_mark(record) is None


def test_a_post_that_brings_a_header_like_a_mark_is_still_a_letter() -> None:
    letter = dead(headers=[("__streamproc.replayed", b"2:3")])
    assert not is_mark(Message(headers=tuple(letter.all_headers())))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'{"platform": "test", "id": "1", "op": "delete"}', ("test:1", True)),
        (b'{"schema_version": 99, "platform": "test", "id": "1", "op": "delete"}', ("test:1", True)),
        (b'{"platform": "test", "id": "1", "text": 5}', ("test:1", False)),
        (b'{"platform": "test", "id": 1}', None),
        (b'["delete"]', None),
        (b"[" * 100_000, None),
        (b"\xff", None),
        (b"", None),
        (None, None),
    ],
)
def test_which_post_a_message_is_about_is_known_also_of_one_that_is_no_post(
    raw: bytes | None, found: tuple[str, bool] | None
) -> None:
    assert named_post(raw) == found


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", NOON - 7200), ("3d", NOON - 3 * 86400), ("45s", NOON - 45), ("30m", NOON - 1800),
        ("1w", NOON - 604800), ("2026-03-01T12:00", NOON), ("2026-03-01T13:00:00+01:00", NOON),
        ("2026-03-01T12:00:00Z", NOON), ("2026-03-01", NOON - 43200),
    ],
)  # fmt: skip
def test_a_time_is_iso_8601_in_utc_or_how_long_ago(text: str, seconds: float) -> None:
    assert moment(text, NOON) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2 h", "-3d", "2026-13-01", "nan", "5"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(InputError, match="is no time: expected ISO 8601"):
        moment(text, NOON)


@pytest.mark.parametrize("text", ["", "3", "a:b", "1:2:3", "-1:2", "1: 2", "٣:٤"])
def test_what_is_no_place_is_told(text: str) -> None:
    with pytest.raises(InputError, match="expected PARTITION:OFFSET"):
        Place.parse(text)


def test_a_letter_knows_its_post_by_the_body_and_else_by_the_key() -> None:
    letter = dead(body=json.dumps({"platform": "test", "id": "9"}).encode())
    assert stored(letter).post_key() == "test:9"
    assert stored(dead()).post_key() == "test:1"
