"""Words and characters by number, for networks that look them up in tables of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from streamproc_mner.windows import EncodedPost, Ints, Limits, Window, cut_windows
from streamproc_mner.words import NO_SHAPE, Role, Word, shapes_of

PADDING: Final = 0
UNKNOWN: Final = 1
_FIRST: Final = 2
_LINK: Final = "http"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Known words and characters, numbered from 2; 0 is padding, 1 what is not known.

    A word that is not known as it is written is looked up in lower case. All links are one word.
    """

    words: tuple[str, ...]
    characters: str
    _word_ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _character_ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_word_ids", {word: i for i, word in enumerate(self.words, _FIRST)})
        object.__setattr__(self, "_character_ids", {c: i for i, c in enumerate(self.characters, _FIRST)})

    @classmethod
    def of(cls, posts: Iterable[Sequence[Word]], at_least: int = 1) -> Vocabulary:
        """The words that occur `at_least` so often in some posts, and all their characters."""
        counts = Counter(spelling(word) for words in posts for word in words)
        known = sorted(word for word, count in counts.items() if count >= at_least)
        return cls(tuple(known), "".join(sorted({character for word in counts for character in word})))

    @property
    def word_count(self) -> int:
        """Rows of a table of words, padding and unknown included."""
        return len(self.words) + _FIRST

    @property
    def character_count(self) -> int:
        """Rows of a table of characters, padding and unknown included."""
        return len(self.characters) + _FIRST

    def look_up(self, words: Sequence[Word]) -> Ints:
        """(n,) word ids."""
        known = self._word_ids
        texts = [spelling(word) for word in words]
        return np.array([known.get(t) or known.get(t.lower(), UNKNOWN) for t in texts], np.int64)

    def spell(self, words: Sequence[Word], most: int) -> tuple[Ints, ...]:
        """The ids of the first `most` characters of each word."""
        known = self._character_ids
        return tuple(
            np.array([known.get(character, UNKNOWN) for character in spelling(word)[:most]], np.int64)
            for word in words
        )


def spelling(word: Word) -> str:
    """The text that stands for a word."""
    return _LINK if word.role is Role.LINK else word.text


class WordEncoder:
    """Encodes posts for networks that read whole words; the counterpart of `PostEncoder`.

    Args:
        vocabulary: of words and characters.
        limits: of length, in words.
    """

    def __init__(self, vocabulary: Vocabulary, limits: Limits) -> None:
        self._vocabulary = vocabulary
        self._limits = limits

    def encode(
        self, posts: Sequence[Sequence[Word]], contexts: Sequence[Sequence[object]] | None = None
    ) -> list[EncodedPost]:
        """Encode posts. Visual context is text for transformers: none is read here."""
        return [self._encode_post(words) for words in posts]

    def _encode_post(self, words: Sequence[Word]) -> EncodedPost:
        count = len(words)
        places = np.arange(count)
        ids = self._vocabulary.look_up(words)
        shapes = np.array(shapes_of(words), np.int64).reshape(-1, len(NO_SHAPE))
        spelled = self._vocabulary.spell(words, self._limits.word)
        windows = tuple(
            Window(
                ids[cut.first : cut.last],
                np.zeros(cut.last - cut.first, np.int64),
                shapes[cut.first : cut.last],
                np.arange(cut.last - cut.first),
                places[cut.first : cut.last],
                cut.taken,
                spelled[cut.first : cut.last],
            )
            for cut in cut_windows(places, count, self._limits.window, self._limits.overlap)
        )
        return EncodedPost(windows, places)
