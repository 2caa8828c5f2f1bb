"""Posts are validated once, straight from bytes, and old messages stay readable."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from streamproc.errors import MalformedPost, PostError, UnsupportedSchemaVersion
from streamproc.posts import Author, Deletion, Media, Post, _is_platform, checked, parse, to_json

GOLDEN = sorted((Path(__file__).parent / "golden").glob("post-v*.json"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_golden_messages_of_every_version_stay_readable(file: Path) -> None:
    message = parse(file.read_bytes())
    told, golden = json.loads(encode(message)), json.loads(file.read_text())
    assert told == told | golden


def test_there_are_golden_messages() -> None:
    assert {file.stem for file in GOLDEN} >= {"post-v1-create", "post-v1-update", "post-v1-delete"}


def test_op_defaults_to_create_and_unknown_fields_are_ignored() -> None:
    message = parse(b'{"platform": "x", "id": "1", "text": "hi", "likes": 3}')
    assert isinstance(message, Post)
    assert message.op == "create"


def test_a_delete_needs_only_platform_id_and_op() -> None:
    message = parse(b'{"platform": "x", "id": "1", "op": "delete"}')
    assert isinstance(message, Deletion)
    assert message.key == "x:1"


def test_a_time_without_a_zone_is_read_as_utc() -> None:
    message = parse(b'{"platform": "x", "id": "1", "text": "", "created_at": "2026-11-01T10:00:00"}')
    assert isinstance(message, Post)
    assert message.created_at is not None
    assert message.created_at.isoformat() == "2026-11-01T10:00:00+00:00"


def test_a_newer_version_is_named_even_if_nothing_else_can_be_read() -> None:
    with pytest.raises(UnsupportedSchemaVersion, match="upgrade, then replay"):
        parse(b'{"schema_version": 7}')


def test_the_complaint_names_the_field_but_not_its_content() -> None:
    with pytest.raises(MalformedPost) as caught:
        parse(b'{"platform": "x", "id": 1, "text": null, "author": {"secret": 1}}')
    assert str(caught.value) == ("id: Expected `str`, got `int`")


def test_pictures_are_images_and_previews_of_films() -> None:
    media = [
        {"type": "image", "url": "u1", "alt": "a"},
        {"type": "video", "url": "v", "preview_url": "p"},
        {"type": "audio", "url": "s"},
        {"type": "image"},
    ]
    message = parse(json.dumps({"platform": "x", "id": "1", "text": "", "media": media}).encode())
    assert isinstance(message, Post)
    assert message.picture_urls() == ("u1", "p")
    assert message.alt_texts() == ("a",)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["op", "id", "platform", "text", "schema_version", "media", "author", "lang"]
                ),
                inner,
            )
        ),
    ).map(lambda v: json.dumps(v).encode())
)
def test_whatever_comes_in_is_a_message_or_one_of_our_errors(raw: bytes) -> None:
    try:
        message = parse(raw)
    except PostError:
        return
    assert parse(to_json(message)) == message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"id": 5}, "id: Expected `str`, got `int`"),
        ({"text": b"abc"}, "text: Expected `str`, got `bytes`"),
        ({"id": "\ud800"}, "surrogates not allowed"),
        ({"created_at": 1.0}, "created_at: Expected"),
        ({"media": (1,)}, "media[0]: Expected `object`, got `int`"),
        ({"lang": (part for part in "en")}, "generator"),
        ({"platform": "X"}, "platform: expected a lower-case name"),
        ({"id": ""}, "id: Expected `str` of length >= 1"),
        ({"schema_version": 2}, "schema_version 2"),
    ],
)
def test_what_code_puts_into_a_post_is_looked_at(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(PostError) as caught:
        checked(Post(**{"platform": "x", "id": "1", "text": "t"} | fields))
    assert told in str(caught.value)


def test_lists_and_bare_times_of_code_are_made_what_readers_have() -> None:
    given: Any = {
        "lang": ["en"],
        "media": [Media(url="u")],
        "author": {"id": "a"},
        "created_at": datetime(2026, 1, 2),
    }
    post = checked(Post(platform="x", id="1", text="t", **given))
    assert (post.lang, post.media, post.author) == (("en",), (Media(url="u"),), Author("a"))
    assert post.created_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert parse(to_json(post)) == post


@pytest.mark.parametrize("given", [None, {}, Post, Author("1"), 7])
def test_what_is_no_post_at_all_is_told(given: Any) -> None:
    with pytest.raises(MalformedPost):
        checked(given)


def test_bytes_that_are_no_utf_8_are_told_with_their_place() -> None:
    with pytest.raises(MalformedPost) as caught:
        parse(b'{"platform": "x", "id": "1", "text": "\xff"}')
    assert str(caught.value) == "not UTF-8: byte 0xff at position 38; expected a JSON object in UTF-8"


@pytest.mark.parametrize("platform", ["X", "x:y", "x\n", "", "a" * 65, "a" * 100_000])
def test_a_platform_that_is_no_name_is_refused_and_a_long_one_not_remembered(platform: str) -> None:
    before = _is_platform.cache_info().currsize
    with pytest.raises(MalformedPost, match="platform: expected a lower-case name"):
        parse(json.dumps({"platform": platform, "id": "1", "text": ""}).encode())
    assert len(platform) <= 64 or _is_platform.cache_info().currsize == before
