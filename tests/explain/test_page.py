"""The page without a browser: what stands in it, what is in it once, and what never gets into it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from hashlib import sha256

import numpy as np
import pytest
from msgspec import convert
from msgspec.structs import replace

from streamproc.entities import Entity, PluginInfo, Revision, Timings
from streamproc.explain.page import ExplainPage
from streamproc.explain.words import WORDS_SHOWN
from streamproc.fusion.api import Explanation, Tagging, Weights
from streamproc.output import Evidence, Output, tagged_post, untagged_post
from streamproc.posts import Media, Post
from streamproc.testing import example_value
from streamproc.tokens import tokenize
from streamproc.vision.visuals import Captions, Missing, Modality, Seen, Thumbnail, Visual
from tests.cli.explaining import explanation
from tests.explain.reading import Node, read

PLUGIN = PluginInfo("explaining", "1", "tiny", "7")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


def output(
    text: str,
    tagging: Tagging,
    visuals: Mapping[Modality, Visual] | None = None,
    *,
    asked: bool = True,
    **fields: object,
) -> Output:
    post = convert({"platform": "test", "id": "1", "text": text, **fields}, Post)
    shown = dict(visuals or {})
    tagged = tagged_post(post, tagging, PLUGIN, shown, Revision(0, 1), Timings())
    return Output(tagged, post.key, False, 1, tagging, Evidence(post, shown) if asked else None)


def explained(text: str, *entities: Entity) -> Tagging:
    return Tagging(entities, (), 0.25, explanation(text))


def page_of(*outputs: Output, source: str = "posts.jsonl", failed: int = 0) -> str:
    pieces: list[bytes] = []
    page = ExplainPage(pieces.append, source)
    for made in outputs:
        page.add(made)
    page.finish(failed)
    return b"".join(pieces).decode()


def numbers(page: Node) -> list[dict[str, object]]:
    """What the script of the page is given for its first post."""
    found: list[dict[str, object]] = json.loads(page.all("script", "numbers")[0].text())
    return found


def test_a_post_is_shown_with_its_entities_view_uncertainty_and_plugin() -> None:
    text = "Ada in Berlin"
    page = read(page_of(output(text, explained(text, Entity("Berlin", "LOC", 7, 13, 0.875)))))
    (card,) = page.all("article")
    assert card.all("p", "text")[0].text() == "Ada in BerlinLOC 0.88"
    head = card.all("header")[0].text()
    for fact in ("test:1", "line 1", "explaining 1, tiny 7", "view text", "uncertainty 0.250"):
        assert fact in head


def test_the_mean_is_over_the_words_of_the_entities_or_over_all_where_there_is_none() -> None:
    text = "Ada met Grace in Berlin"
    weights = explanation(text).weights
    for entities, inside in (
        ((Entity("Ada", "PER", 0, 3, 1.0), Entity("Berlin", "LOC", 17, 23, 1.0)), (0, 4)),
        ((), (0, 1, 2, 3, 4)),
    ):
        told = numbers(read(page_of(output(text, explained(text, *entities)))))
        for figure, own in zip(told, weights.values(), strict=True):
            expected = []
            for column in range(len(own.rows[0])):
                total = 0.0
                for word in inside:
                    total += own.rows[word][column]
                expected.append(total / len(inside))
            assert figure["over"] == own.over
            np.testing.assert_allclose(np.array(figure["mean"]) / 10_000, expected, atol=1e-4)
            np.testing.assert_allclose(np.array(figure["rows"]) / 10_000, own.rows, atol=1e-4)


def test_each_word_has_a_bar_in_parts_as_long_as_its_shares() -> None:
    text = "Ada in Berlin"
    page = read(page_of(output(text, explained(text))))
    (figure,) = page.all("figure", "over-modalities")
    columns = figure.all("span", "column")
    assert [column.all("span", "label")[0].text() for column in columns] == text.split()
    for column, row in zip(columns, explanation(text).weights["modality attention"].rows, strict=True):
        bars = column.all("rect")
        floor = 40.0
        for bar, share in zip(bars, row, strict=True):
            top, height = float(bar.attributes["y"] or ""), float(bar.attributes["height"] or "")
            assert height == pytest.approx(40 * share, abs=0.01)
            assert top + height == pytest.approx(floor, abs=0.02), "it stands on the one below"
            floor = top


def test_nothing_of_strangers_becomes_markup_wherever_it_stands() -> None:
    tokens = tuple((token.text, token.start, token.end) for token in tokenize(HOSTILE))
    rows = ((1.0,),) * len(tokens)
    told = Explanation(tokens, {HOSTILE: Weights("modalities", rows, (HOSTILE,))})
    tagging = Tagging((Entity(HOSTILE, HOSTILE, 0, len(HOSTILE), 1.0),), (), 0.0, told)
    thumbnail = Thumbnail("digest", 4, 4, b"jpeg")
    visuals: dict[Modality, Visual] = {
        "alt": Seen((HOSTILE,), (thumbnail,)),
        "captions": Seen((Captions((HOSTILE,), (0.0,)),)),
        "ocr": Missing("unavailable", HOSTILE),
    }
    media = (Media(url="https://example.org/a", alt=HOSTILE),)
    author = {"id": "1", "handle": HOSTILE}
    made = output(HOSTILE, tagging, visuals, media=media, author=author, id=HOSTILE)
    page = read(page_of(made, source=HOSTILE))
    assert [script.attributes.get("type") for script in page.all("script")] == ["application/json", None]
    assert not page.all("img")
    assert not [node for node in page.all() if any(name.startswith("on") for name in node.attributes)]
    assert page.all("h1")[0].text() == HOSTILE
    assert page.all("p", "text")[0].text(without="chip") == HOSTILE
    assert page.all("svg", "picture")[0].attributes["aria-label"] == HOSTILE
    for css in ("evidence", "legend"):
        assert HOSTILE in page.all(css=css)[0].text()


def test_what_is_no_text_in_the_name_of_a_type_does_not_end_the_page() -> None:
    made = output("Ada", Tagging((Entity("Ada", "PER\ud800", 0, 3, 1.0),), (), 0.0))
    assert "PER?" in page_of(made)


def test_the_policy_lets_only_the_pages_own_style_and_script_in() -> None:
    page = read(page_of(output("Ada", explained("Ada"))))
    (policy,) = (
        meta.attributes["content"] or ""
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    (style,) = page.all("style")
    script = page.all("script")[-1]
    for rule, content in (("style-src", style.text()), ("script-src", script.text())):
        assert rules[rule] == f"'sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}'"
    assert not [node for node in page.all() if "style" in node.attributes]


def test_a_picture_of_many_posts_is_written_once_and_a_figure_over_a_picture_lies_on_its_own() -> None:
    text = "Ada in Berlin"
    first, second = Thumbnail("aa", 40, 30, b"first"), Thumbnail("bb", 30, 40, b"second")
    both: dict[Modality, Visual] = {
        "ocr": Seen((example_value("ocr"),), (first,)),
        "grid": Seen((example_value("grid"),), (second,)),
    }
    page = page_of(output(text, explained(text), both), output(text, explained(text), both))
    urls = re.findall(r'href="data:image/jpeg;base64,([^"]*)"', page)
    assert [base64.b64decode(url) for url in urls] == [b"second", b"first"]
    for card in read(page).all("article"):
        (cells,) = card.all("figure", "over-cells")
        assert cells.all("svg", "picture")[0].attributes["viewbox"] == "0 0 30 40"
    names = {node.attributes["id"] for node in read(page).all("image")}
    assert {(node.attributes["href"] or "")[1:] for node in read(page).all("use")} == names


def test_a_given_grid_is_never_drawn_over_a_picture_that_something_else_looked_at() -> None:
    visuals: dict[Modality, Visual] = {
        "ocr": Seen((example_value("ocr"),), (Thumbnail("aa", 4, 3, b"jpeg"),)),
        "grid": Seen((example_value("grid"),)),
    }
    (cells,) = read(page_of(output("Ada", explained("Ada"), visuals))).all("figure", "over-cells")
    assert not cells.all("image")
    assert "not at hand" in cells.text()


def test_a_model_without_explanation_is_named_and_its_post_shown_with_picture_and_evidence() -> None:
    seen = Seen((example_value("ocr"), example_value("ocr")), (Thumbnail("aa", 4, 3, b"jpeg"), None))
    visuals: dict[Modality, Visual] = {
        "ocr": seen,
        "captions": Missing("skipped", "certain: 0.1 ≤ 0.2"),
        "objects": Seen((example_value("objects"),)),
        "grid": Seen((example_value("grid"),)),
        "alt": Missing("absent"),
    }
    tagging = Tagging((), (0.9, 0.5), 0.0)
    (card,) = read(page_of(output("Ada Berlin", tagging, visuals))).all("article")
    assert "explaining gives no explanation of its tags." in card.text()
    assert len(card.all("image")) == 1
    rows = [" | ".join(cell.text() for cell in row.children) for row in card.all("tr")]  # type: ignore[union-attr]
    assert rows == [
        "ocr | used | picture 1: PARIS 2024 0.98picture 2: PARIS 2024 0.98",
        "captions | skipped | certain: 0.1 ≤ 0.2",
        "objects | used | tall tower 0.90person 0.70",
        "grid | used | 49 × 2048 numbers",
        "alt | absent | the post has none",
    ]
    assert [word.attributes["data-confidence"] for word in card.all(css="word")] == ["0.90", "0.50"]


def test_confidences_that_belong_to_no_words_are_summed_up() -> None:
    card = read(page_of(output("Ada in Berlin", Tagging((), (0.5, 1.0), 0.0))))
    assert "2 confidences, lowest 0.50, mean 0.75; explaining does not say of which words." in card.text()


@pytest.mark.parametrize("boxes", [(), ((0.0, 0.0, 0.5, 1.0),)])
def test_odd_shapes_are_drawn_all_the_same(boxes: tuple[tuple[float, float, float, float], ...]) -> None:
    rows = ((1.0,) * len(boxes),) * 3
    tokens = (("Ada", 0, 3), ("in", 4, 6), ("Berlin", 7, 13))
    some = Explanation(tokens, {"regions": Weights("regions", rows, boxes=boxes)})
    none = Explanation((), {"cells": Weights("cells", ()), "gates": Weights("gates", (), ("a", "b"))})
    for told in (some, none):
        page = read(page_of(output("Ada in Berlin", Tagging((), (), 0.0, told))))
        assert [figure["over"] for figure in numbers(page)] == [w.over for w in told.weights.values()]


def test_a_very_long_post_keeps_its_figures_small_and_says_so() -> None:
    text = "word " * (WORDS_SHOWN + 9)
    told = explanation(text)
    page = read(page_of(output(text, Tagging((), (), 0.0, told))))
    for figure, weights in zip(numbers(page), told.weights.values(), strict=True):
        shape = np.array(figure["rows"]).shape
        assert shape == (WORDS_SHOWN, min(WORDS_SHOWN, len(weights.rows[0])))
    assert f"Only the first {WORDS_SHOWN} of {WORDS_SHOWN + 9} words" in page.text()


def test_what_was_not_asked_for_is_counted_and_not_shown() -> None:
    tagging = explained("Ada")
    unasked = output("Grace", tagging, asked=False)
    empty = untagged_post(Post(platform="test", id="2", text=""), "empty text", PLUGIN, Revision(0, 2))
    page = page_of(output("Ada", tagging), unasked, replace(unasked, tagged=empty, tagging=None), failed=3)
    foot = read(page).all("footer")[0].text()
    assert "Grace" not in page
    assert foot == (
        "1 of 2 tagged posts are shown; --explain-limit shows more; "
        "3 lines could not be tagged: see the output."
    )


def test_the_page_is_written_as_it_comes() -> None:
    pieces: list[bytes] = []
    page = ExplainPage(pieces.append, "posts.jsonl")
    page.add(output("Ada", explained("Ada")))
    assert b"<article>" in pieces[-1], "a post does not wait for the others"
    assert pieces[-1].endswith(b"</article>")
