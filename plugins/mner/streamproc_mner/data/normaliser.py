"""One convention for live posts and every data set.

A data set's tokens, joined by a space, go through the tokenizer of live posts; gold entities move
along by their characters and lose a leading `@` or `#`. What the data sets do not agree on is
marked as unknown instead of taught: twitter2015 keeps `@name` whole and hardly labels any (5 of
3,272 in its training part), twitter2017 cuts it in two and labels most (622 of 706).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

from streamproc.entities import View
from streamproc.errors import InputError
from streamproc.fusion.api import FusionInput
from streamproc.vision.visuals import Modality, Visual
from streamproc_mner.data.records import Record
from streamproc_mner.labels import ENTITY_TYPES, Span, spans_of
from streamproc_mner.words import Role, Word, words_of

TYPE_NAMES: Final[Mapping[str, str]] = {"OTHER": "MISC"}
"""twitter2015 writes MISC as OTHER."""

Handles = Literal["whole", "cut"]
"""How a data set writes `@name`: in one token, or in two."""

_WHOLE_HANDLE: Final = re.compile(r"[@＠]\w")
_NAME: Final = re.compile(r"\w")
_AT: Final = ("@", "＠")
_SIGNS: Final = (*_AT, "#", "＃", "$")


@dataclass(frozen=True, slots=True)
class LabelledPost:
    """A post in the one convention.

    Attributes:
        text: as a live post would have it.
        words: of `streamproc_mner.words`.
        spans: gold entities over words.
        mentions: indices of words that name a mentioned account.
        mentions_labelled: whether the data set says which of these are entities.
        captions: of the post's picture, by captioner.
        id: of the post, or of its picture.
        visuals: what was seen in its picture, as the stream has it.
    """

    text: str
    words: tuple[Word, ...]
    spans: tuple[Span, ...]
    mentions: frozenset[int]
    mentions_labelled: bool
    captions: Mapping[str, str]
    id: str = ""
    visuals: Mapping[Modality, Visual] = field(default_factory=dict)

    def as_input(self, view: View) -> FusionInput:
        """The post as a model gets it from the stream."""
        return FusionInput(self.text, visuals=self.visuals if view == "image+text" else {})


def handles_of(records: Iterable[Record]) -> Handles | None:
    """How posts write `@name`; `None` where no post holds any.

    One that is whole decides: `@` alone may also mean "at", also before a name.
    """
    found: Handles | None = None
    for record in records:
        if any(map(_WHOLE_HANDLE.match, record.tokens)):
            return "whole"
        if any(token in _AT and _NAME.match(name) for token, name in pairwise(record.tokens)):
            found = "cut"
    return found


def normalise(
    records: Sequence[Record], types: Iterable[str] = ENTITY_TYPES, handles: Handles | None = None
) -> list[LabelledPost]:
    """Bring posts of one data set to the one convention.

    Args:
        records: of the data set, or of a part of it.
        types: the entity types that are known.
        handles: how the data set writes `@name`; by default what these records say.

    Raises:
        InputError: a tag whose type is not known; names the post.
    """
    keeps_whole = (handles or handles_of(records)) == "whole"
    known = frozenset(types)
    return [_normalise(record, keeps_whole, known) for record in records]


def _normalise(record: Record, keeps_whole: bool, types: frozenset[str]) -> LabelledPost:
    text = " ".join(record.tokens)
    words = tuple(words_of(text))
    at = Role.HANDLE if keeps_whole else Role.AT
    mentions = frozenset(index for index, word in enumerate(words) if word.role in (Role.HANDLE, at))
    borders = _borders(record.tokens)
    spans: list[Span] = []
    for gold in spans_of(record.tags):
        entity = TYPE_NAMES.get(gold.type, gold.type)
        if entity not in types:
            raise InputError(
                f"post {record.id}: unknown type {gold.type!r}; known are {', '.join(sorted(types))}: "
                "rename it or leave it out with `streamproc data convert --types`, or train with "
                "--set 'types=[...]'"
            )
        span = _over_words(words, borders[gold.start][0], borders[gold.end - 1][1], entity)
        if span is not None:
            spans.append(span)
    return LabelledPost(text, words, tuple(spans), mentions, not keeps_whole, record.captions, record.id)


def _borders(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Where each token stands in the text."""
    borders = []
    position = 0
    for token in tokens:
        borders.append((position, position + len(token)))
        position += len(token) + 1
    return borders


def _over_words(words: Sequence[Word], start: int, end: int, entity: str) -> Span | None:
    """The words from character `start` to `end`, without leading signs; `None` if nothing is left."""
    inside = [index for index, word in enumerate(words) if word.start < end and word.end > start]
    while inside and words[inside[0]].text in _SIGNS:
        inside.pop(0)
    return Span(inside[0], inside[-1] + 1, entity) if inside else None
