"""Posts are validated once, straight from bytes, and old messages stay readable."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.errors import MalformedPost, PostError, UnsupportedSchemaVersion
from streamproc.posts import MESSAGE, Deletion, Post, parse

GOLDEN = sorted((Path(__file__).parent / "golden").glob("post-v*.json"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_golden_messages_of_every_version_stay_readable(file: Path) -> None:
    message = parse(file.read_bytes())
    assert message.model_dump(mode="json", exclude_unset=True) == json.loads(file.read_text())


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


def test_the_complaint_names_the_fields_but_not_their_content() -> None:
    with pytest.raises(MalformedPost) as caught:
        parse(b'{"platform": "x", "id": 1, "text": null, "author": {"secret": 1}}')
    assert str(caught.value) == (
        "id: Input should be a valid string; text: Input should be a valid string; "
        "author.id: Field required"
    )


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
    assert MESSAGE.validate_json(message.model_dump_json()) == message
