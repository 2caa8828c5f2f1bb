"""What a Jetstream event becomes, part by part."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.errors import MalformedPost
from streamproc.feeds.bluesky_events import read_event, to_message
from streamproc.posts import Media, Post, parse, to_json
from tests.feeds.jetstream import DID, blob, commit

CDN = f"https://cdn.bsky.app/img/feed_fullsize/plain/{DID}"
OTHER = "at://did:plc:other/app.bsky.feed.post/3other"


def post(**record: Any) -> Post:
    message = to_message(read_event(orjson.dumps(commit("3abc", **record))))
    assert isinstance(message, Post)
    return message


def image(cid: str, alt: str = "") -> dict[str, Any]:
    return {"alt": alt, "image": blob(cid), "aspectRatio": {"width": 800, "height": 600}}


def medium(cid: str, alt: str | None = None) -> Media:
    return Media(
        id=cid,
        type="image",
        url=f"{CDN}/{cid}@jpeg",
        mime="image/jpeg",
        alt=alt,
        width=800,
        height=600,
        size=1234,
    )


def test_names_addresses_and_times() -> None:
    found = post(langs=["en", "es"])
    assert found.key == f"bluesky:{DID}/3abc"
    assert found.uri == f"at://{DID}/app.bsky.feed.post/3abc"
    assert found.url == f"https://bsky.app/profile/{DID}/post/3abc"
    assert found.author is not None
    assert found.author.id == DID
    assert found.lang == ("en", "es")
    assert found.created_at == datetime(2026, 11, 21, 6, tzinfo=UTC)


def test_facets_become_hashtags_mentions_and_links() -> None:
    def facet(kind: str, **value: str) -> dict[str, Any]:
        feature = {"$type": f"app.bsky.richtext.facet#{kind}", **value}
        return {"index": {"byteStart": 0, "byteEnd": 1}, "features": [feature]}

    found = post(
        facets=[
            facet("tag", tag="Rome"),
            facet("mention", did="did:plc:friend"),
            facet("link", uri="https://example.org/"),
            facet("tag", tag="Rome"),
        ],
        tags=["quiet"],
    )
    assert found.hashtags == ("Rome", "quiet")
    assert found.mentions == ("did:plc:friend",)
    assert found.links == ("https://example.org/",)


def test_replies_and_quotes_are_named_like_posts() -> None:
    reply = {"root": {"uri": "at://x", "cid": "c"}, "parent": {"uri": OTHER, "cid": "c"}}
    quote = {"$type": "app.bsky.embed.record", "record": {"uri": OTHER, "cid": "c"}}
    found = post(reply=reply, embed=quote)
    assert found.reply_to == "did:plc:other/3other"
    assert found.quote_of == "did:plc:other/3other"


def test_a_shared_list_is_no_quoted_post() -> None:
    uri = "at://did:plc:other/app.bsky.graph.list/3list"
    assert post(embed={"$type": "app.bsky.embed.record", "record": {"uri": uri}}).quote_of is None


def test_pictures() -> None:
    embed = {"$type": "app.bsky.embed.images", "images": [image("c1", "a tower"), image("c2")]}
    found = post(embed=embed)
    assert found.media == (medium("c1", "a tower"), medium("c2"))
    assert found.picture_urls() == (f"{CDN}/c1@jpeg", f"{CDN}/c2@jpeg")
    assert found.alt_texts() == ("a tower",)


def test_a_gallery() -> None:
    items = [{"$type": "app.bsky.embed.gallery#image", **image("c1")}]
    assert post(embed={"$type": "app.bsky.embed.gallery", "items": items}).media == (medium("c1"),)


def test_a_quote_with_pictures_gives_both() -> None:
    found = post(
        embed={
            "$type": "app.bsky.embed.recordWithMedia",
            "record": {"$type": "app.bsky.embed.record", "record": {"uri": OTHER, "cid": "c"}},
            "media": {"$type": "app.bsky.embed.images", "images": [image("c1")]},
        }
    )
    assert found.quote_of == "did:plc:other/3other"
    assert found.media == (medium("c1"),)


def test_a_film_shows_its_thumbnail() -> None:
    found = post(
        embed={"$type": "app.bsky.embed.video", "video": blob("v1", "video/mp4", 99), "alt": "goal"}
    )
    (film,) = found.media
    assert (film.type, film.mime, film.alt, film.size) == ("video", "video/mp4", "goal", 99)
    assert found.picture_urls() == ("https://video.bsky.app/watch/did%3Aplc%3Awriter/v1/thumbnail.jpg",)


def test_a_link_card_shows_its_thumbnail_and_counts_as_a_link() -> None:
    external = {"uri": "https://example.org/a", "title": "A", "description": "", "thumb": blob("t1")}
    found = post(embed={"$type": "app.bsky.embed.external", "external": external})
    assert found.links == ("https://example.org/a",)
    assert found.picture_urls() == (f"{CDN}/t1@jpeg",)


def test_labels_of_the_author_make_it_sensitive() -> None:
    def labels(*values: str) -> dict[str, Any]:
        return {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": v} for v in values]}

    assert post(labels=labels("graphic-media")).sensitive
    assert not post(labels=labels("!no-unauthenticated")).sensitive
    assert not post().sensitive


@pytest.mark.parametrize("created", ["", "last week", "2026-13-45T00:00:00Z", 5, None, {"a": 1}])
def test_a_time_that_is_none_is_left_out(created: object) -> None:
    assert post(createdAt=created).created_at is None


def test_an_event_of_another_collection_is_passed_over() -> None:
    event = commit("3abc")
    event["commit"]["collection"] = "app.bsky.feed.like"
    event["commit"]["record"] = {"subject": {"uri": OTHER}}
    assert to_message(read_event(orjson.dumps(event))) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PART = st.sampled_from(
    ["createdAt", "langs", "tags", "facets", "reply", "embed", "labels"]
)  # every part that a client writes as it pleases
EMBED = st.dictionaries(
    st.sampled_from(["images", "items", "video", "alt", "aspectRatio", "external", "record", "media"]), JSON
)


@given(st.dictionaries(PART, JSON | st.fixed_dictionaries({"embed": EMBED}) | EMBED))
def test_no_part_of_any_form_costs_the_post_its_text(parts: dict[str, Any]) -> None:
    found = post(text="kept", **parts)
    assert found.text == "kept"
    assert parse(to_json(found)) == found


@given(st.binary() | JSON.map(orjson.dumps))
def test_any_frame_is_an_event_or_malformed(frame: bytes) -> None:
    try:
        event = read_event(frame)
    except MalformedPost:
        return
    assert event.did
