"""A post's text, cut into the model's words, with its entities marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from streamproc.entities import Entity
from streamproc.fusion.api import Tagging
from streamproc.html.markup import Html, element, joined
from streamproc.tokens import tokenize

WORDS_SHOWN: Final = 300
"""Words of a post that can be pointed at; what is behind them is shown as plain text."""

_TYPES: Final = ("PER", "LOC", "ORG", "MISC")
_COLOURS: Final = 8
_DOUBTS: Final = 10


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the model: `text[start:end]` of the post, in code points.

    `confidence` is the probability of its label, where the model tells it word by word; `entity`
    the entity that it is part of.
    """

    text: str
    start: int
    end: int
    confidence: float | None
    entity: Entity | None


def words_of(text: str, tagging: Tagging) -> list[Word]:
    """The model's words, or those of `streamproc.tokens` where it does not name its own."""
    usual = [(token.text, token.start, token.end) for token in tokenize(text)]
    named = tagging.explanation.tokens if tagging.explanation is not None else usual
    # A model that cannot see some word names fewer in its explanation than it has confidences.
    whose = next((words for words in (named, usual) if len(words) == len(tagging.confidence)), ())
    confidence = {
        (start, end): value for (_, start, end), value in zip(whose, tagging.confidence, strict=False)
    }
    entities = _entities(named, tagging.entities)
    return [
        Word(text[start:end], start, end, confidence.get((start, end)), entity)
        for (_, start, end), entity in zip(named, entities, strict=True)
    ]


def _entities(words: Sequence[tuple[str, int, int]], entities: Sequence[Entity]) -> Iterator[Entity | None]:
    """For each word the entity that it lies in, wholly or in part."""
    waiting = iter(entities)
    entity = next(waiting, None)
    for _, start, end in words:
        while entity is not None and entity.end <= start:
            entity = next(waiting, None)
        yield entity if entity is not None and entity.start < end else None


def marked_text(text: str, words: Sequence[Word], entities: Sequence[Entity]) -> Html:
    """The text as it stands, each word to be pointed at, each entity with its type and score."""
    parts: list[str] = []
    at = 0
    for entity in entities:
        parts.append(_stretch(text, at, entity.start, words))
        parts.append(
            element(
                "mark",
                {"class": f"entity type-{type_colour(entity.type)}"},
                _stretch(text, entity.start, entity.end, words),
                element(
                    "span",
                    {"class": "chip", "dir": "ltr"},
                    element("bdi", {}, entity.type),
                    " ",
                    element("span", {"class": "score"}, f"{entity.score:.2f}"),
                ),
            )
        )
        at = entity.end
    parts.append(_stretch(text, at, len(text), words))
    return joined(parts)


def type_colour(name: str) -> int:
    """The number of an entity type's colour; the same in every page."""
    if name in _TYPES:
        return _TYPES.index(name)
    return len(_TYPES) + sum(map(ord, name)) % (_COLOURS - len(_TYPES))


def _stretch(text: str, start: int, end: int, words: Sequence[Word]) -> Html:
    """`text[start:end]`; a word that an entity's border cuts is in two stretches."""
    inside = [
        (index, max(word.start, start), min(word.end, end))
        for index, word in enumerate(words[:WORDS_SHOWN])
        if word.start < end and word.end > start
    ]
    borders = [(start, start), *((first, last) for _, first, last in inside), (end, end)]
    parts: list[str] = []
    for place, ((_, before), (first, last)) in enumerate(pairwise(borders)):
        parts.append(text[before:first])
        if place < len(inside):
            index = inside[place][0]
            parts.append(_word(text[first:last], index, words[index]))
    return joined(parts)


def _word(shown: str, index: int, word: Word) -> Html:
    doubt = round((1 - word.confidence) * _DOUBTS) if word.confidence is not None else 0
    return element(
        "span",
        {
            "class": f"word doubt-{doubt}" if doubt else "word",
            "data-word": index,
            "data-confidence": None if word.confidence is None else f"{word.confidence:.2f}",
            "data-type": word.entity.type if word.entity is not None else None,
            "role": "button",
            "tabindex": -1 if index else 0,
        },
        shown,
    )
