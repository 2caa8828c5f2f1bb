"""One tagged post as a card of the page."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from streamproc.entities import TaggedPost
from streamproc.explain.evidence import evidence_table
from streamproc.explain.figures import figure, figure_data
from streamproc.explain.pictures import Pictures, looked_at
from streamproc.explain.words import WORDS_SHOWN, Word, marked_text, words_of
from streamproc.fusion.api import Tagging
from streamproc.html.markup import Html, data_block, element
from streamproc.output import Evidence


def card(
    tagged: TaggedPost, tagging: Tagging, evidence: Evidence, line: object, pictures: Pictures
) -> Html:
    """A post with its entities, what the model attended to, and what it was shown.

    Args:
        tagged: what was published.
        tagging: what the model said.
        evidence: what the model was shown.
        line: where the post stood in its file.
        pictures: of the page.
    """
    text = evidence.post.text
    words = words_of(text, tagging)
    weights = tagging.explanation.weights if tagging.explanation is not None else {}
    alt = "; ".join(evidence.post.alt_texts()) or "the picture of the post"
    figures = [figure(name, w, words, evidence.visuals, pictures, alt) for name, w in weights.items()]
    thumbnail = looked_at(evidence.visuals)
    if thumbnail and not any(w.over in ("cells", "regions") for w in weights.values()):
        drawn = pictures.draw(thumbnail, alt)
        figures.append(element("figure", {"class": "plain"}, element("div", {"class": "look"}, drawn)))
    return element(
        "article",
        {},
        _head(tagged, evidence, line),
        element("p", {"class": "text", "dir": "auto"}, marked_text(text, words, tagging.entities)),
        element("p", {"class": "pointed", "role": "status"}),
        *_notes(tagging, words, bool(weights), tagged.plugin.name),
        element("div", {"class": "figures"}, *figures) if figures else None,
        evidence_table(evidence.visuals, tagged.visuals),
        data_block("numbers", [figure_data(w, words) for w in weights.values()]),
    )


def _head(tagged: TaggedPost, evidence: Evidence, line: object) -> Html:
    author = evidence.post.author
    plugin = tagged.plugin
    model = f", {plugin.model} {plugin.model_version or ''}".rstrip() if plugin.model else ""
    facts = [
        element("span", {}, f"line {line}"),
        element("bdi", {}, author.handle or author.id) if author is not None else None,
        element("time", {}, f"{tagged.created_at:%Y-%m-%d %H:%M}") if tagged.created_at else None,
        element("span", {"class": "by"}, f"{plugin.name} {plugin.version}{model}"),
        element("span", {}, "view ", element("b", {}, tagged.view)),
        _uncertainty(tagged.uncertainty or 0.0),
    ]
    name = element("h2", {}, element("bdi", {}, f"{tagged.platform}:{tagged.post_id}"))
    return element("header", {}, name, *facts)


def _uncertainty(value: float) -> Html:
    meter = element(
        "svg",
        {"class": "meter", "viewBox": "0 0 40 6", "aria-hidden": "true"},
        element("rect", {"class": "frame", "width": 40, "height": 6, "rx": 3}),
        element("rect", {"class": "fill", "width": 40 * value, "height": 6, "rx": 3}),
    )
    return element("span", {}, "uncertainty ", element("b", {}, f"{value:.3f} "), meter)


def _notes(tagging: Tagging, words: Sequence[Word], weighed: bool, plugin: str) -> list[Html]:
    """What the reader would look for in vain, and why it is not there."""
    notes = []
    if not tagging.entities:
        notes.append("No entities.")
    if tagging.explanation is None:
        notes.append(f"{plugin} gives no explanation of its tags.")
    elif not weighed:
        notes.append(f"{plugin} has nothing to show of how it read this post.")
    if tagging.confidence and all(word.confidence is None for word in words):
        lowest, mean = min(tagging.confidence), fmean(tagging.confidence)
        notes.append(
            f"{len(tagging.confidence)} confidences, lowest {lowest:.2f}, mean {mean:.2f}; "
            f"{plugin} does not say of which words."
        )
    if len(words) > WORDS_SHOWN:
        notes.append(f"Only the first {WORDS_SHOWN} of {len(words)} words can be pointed at.")
    return [element("p", {"class": "note"}, " ".join(notes))] if notes else []
