"""Words of a post as a model sees them: span, role, shape, and the pieces an encoder reads.

The encoder may be uncased and knows nothing of handles, hashtags and links; what the writing
shows beyond the letters is told to it in three small numbers a word, `shape_ids`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from streamproc.tokens import tokenize


class Role(IntEnum):
    """What a word is in a post. 0 is kept for positions that are no word's first sub-token."""

    WORD = 1
    HANDLE = 2
    HASHTAG = 3
    SIGN = 4
    LINK = 5
    EMOJI = 6
    REPOST = 7
    AT = 8
    """Follows an `@` that stands alone: a handle in text that was cut into tokens, or a place. A
    model is told HANDLE for both."""


class Case(IntEnum):
    """The pattern of a word's capitals, letters and digits."""

    NO_LETTER = 1
    LOWER = 2
    TITLE = 3
    UPPER = 4
    MIXED = 5
    INITIAL = 6
    DIGITS = 7
    LETTERS_AND_DIGITS = 8
    UNCASED = 9


SHAPE_SIZES: Final = (len(Case) + 1, len(Role), 6)
"""Rows of the three shape tables: case, role, and how much of the whole post is in capitals."""

NO_SHAPE: Final = (0, 0, 0)
"""The shape of a position that is no word's first sub-token."""

_ROLES: Final[dict[str, Role]] = {
    "word": Role.WORD,
    "number": Role.WORD,
    "mention": Role.HANDLE,
    "hashtag": Role.HASHTAG,
    "cashtag": Role.HASHTAG,
    "url": Role.LINK,
    "email": Role.LINK,
    "emoji": Role.EMOJI,
    "rt": Role.REPOST,
}
"""Roles by the tokenizer's kinds; all others are signs: punctuation, symbols, what does not show."""

_SHORT: Final = 32
"""Characters of a word whose case is remembered."""
_LONE_SIGNS: Final = {"@": Role.AT, "#": Role.HASHTAG}
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^A-Za-z\d]+")
_LINK_PIECE: Final = "http"


@dataclass(frozen=True, slots=True)
class Word:
    """One word: `text == post[start:end]`, offsets in code points."""

    text: str
    start: int
    end: int
    role: Role

    @property
    def is_mention(self) -> bool:
        """Whether the word is the name of an account that is mentioned."""
        return self.role is Role.HANDLE


def words_of(text: str) -> list[Word]:
    """Cut a text into words with the tokenizer of live posts and name each one's role."""
    words: list[Word] = []
    before = ""
    for token in tokenize(text):
        role = _ROLES.get(token.kind, Role.SIGN)
        if role is Role.WORD and before in _LONE_SIGNS:
            role = _LONE_SIGNS[before]
        words.append(Word(token.text, token.start, token.end, role))
        before = token.text if role is Role.SIGN else ""
    return words


def shapes_of(words: Sequence[Word]) -> list[tuple[int, int, int]]:
    """Three small numbers for each word: its case, its role, and the capitals of the whole post.

    The last says how telling a capital is here: in a post all in capitals, or one where Every
    Word Has One, it tells nothing.
    """
    cases = [case_of(word.text) for word in words]
    surroundings = _surroundings(words, cases)
    return [(int(case), _told(word.role), surroundings) for word, case in zip(words, cases, strict=True)]


def _told(role: Role) -> int:
    """A handle is one whether its `@` was cut off or not: the data sets differ in that."""
    return int(Role.HANDLE if role is Role.AT else role)


def case_of(text: str) -> Case:
    """The pattern of a word's capitals, letters and digits."""
    return _case_of_short(text) if len(text) <= _SHORT else _case_of(text)


@lru_cache(maxsize=32_768)
def _case_of_short(text: str) -> Case:
    """Most words of a post are those of other posts."""
    return _case_of(text)


def _case_of(text: str) -> Case:
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return Case.DIGITS if any(character.isdigit() for character in text) else Case.NO_LETTER
    if any(character.isdigit() for character in text):
        return Case.LETTERS_AND_DIGITS
    word = "".join(letters)
    if word.islower():
        return Case.LOWER
    if word.isupper():
        return Case.INITIAL if len(word) == 1 else Case.UPPER
    if word[0].isupper() and word[1:].islower():
        return Case.TITLE
    return Case.MIXED if word.lower() != word.upper() else Case.UNCASED


def _surroundings(words: Sequence[Word], cases: Sequence[Case]) -> int:
    telling = [
        case
        for word, case in zip(words, cases, strict=True)
        if word.role is Role.WORD and case in (Case.LOWER, Case.TITLE, Case.UPPER, Case.MIXED)
    ]
    if not telling:
        return 1
    if telling.count(Case.UPPER) * 2 > len(telling):
        return 5
    capitals = len(telling) - telling.count(Case.LOWER)
    return 2 + (capitals * 3 > len(telling)) + (capitals * 3 > 2 * len(telling))


def pieces_of(word: Word) -> list[str]:
    """What the encoder reads for a word: a link is just a link, #BlackFriday is two words."""
    if word.role is Role.LINK:
        return [_LINK_PIECE]
    if word.role in (Role.HASHTAG, Role.HANDLE, Role.AT) and word.text.isascii():
        return _CAMEL.findall(word.text)
    return [word.text]
