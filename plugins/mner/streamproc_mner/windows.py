"""Stretches of a post that a network reads at once, and how a long post is cut into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a network reads at once, in sub-tokens; in words where it reads whole words.

    Attributes:
        window: of one window, everything included.
        overlap: of two windows of one post.
        context: of the visual context at most.
        word: of one word at most, also in characters; the rest of a longer one is not read.
    """

    window: int = 256
    overlap: int = 64
    context: int = 128
    word: int = 32

    def __post_init__(self) -> None:
        if self.word < 1 or self.context < 0 or self.overlap < 0 or self.window < self.overlap + 4:
            raise ValueError(
                f"limits {self}: expected word from 1, context and overlap from 0, and a window of at "
                "least 4 more than the overlap"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of a post as a network reads it: S positions that stand for n words.

    Attributes:
        ids: (S,) sub-token ids, or word ids.
        kinds: (S,) 0 for the post, `KIND_IDS` for context.
        shapes: (S, 3) of each word's first sub-token, zeros elsewhere.
        firsts: (n,) positions of the words' first sub-tokens, in the words' order.
        words: (n,) which words of the post they are.
        taken: which of the n words' labels are taken from this window.
        characters: (n,) character ids of each word, where the network reads them.
    """

    ids: Ints
    kinds: Ints
    shapes: Ints
    firsts: Ints
    words: Ints
    taken: slice
    characters: tuple[Ints, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPost:
    """A post's windows; `kept` are the indices of the words that a network sees anything of."""

    windows: tuple[Window, ...]
    kept: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """B windows padded on the right to a common length.

    Attributes:
        ids, mask, kinds: (B, S); the mask is 1 at what is no padding.
        shapes: (B, S, 3).
        firsts: (B, T) positions of words, 0 at padding.
        words: (B, T) bool, which of them are words.
        characters: (B, T, C) character ids, 0 at padding; `None` where no network reads them.
    """

    ids: Ints
    mask: Ints
    kinds: Ints
    shapes: Ints
    firsts: Ints
    words: NDArray[np.bool_]
    characters: Ints | None = None


def pad(windows: Sequence[Window]) -> Batch:
    """Windows as one batch. There is room for one word at least."""
    rows = len(windows)
    length = max(1, *(len(window.ids) for window in windows))
    words = max(1, *(len(window.firsts) for window in windows))
    ids = np.zeros((rows, length), np.int64)
    mask, kinds = np.zeros_like(ids), np.zeros_like(ids)
    shapes = np.zeros((rows, length, windows[0].shapes.shape[1]), np.int64)
    firsts = np.zeros((rows, words), np.int64)
    here = np.zeros((rows, words), bool)
    for row, window in enumerate(windows):
        size, count = len(window.ids), len(window.firsts)
        ids[row, :size] = window.ids
        mask[row, :size] = 1
        kinds[row, :size] = window.kinds
        shapes[row, :size] = window.shapes
        firsts[row, :count] = window.firsts
        here[row, :count] = True
    return Batch(ids, mask, kinds, shapes, firsts, here, _pad_characters(windows, words))


def _pad_characters(windows: Sequence[Window], words: int) -> Ints | None:
    spelled = [window.characters for window in windows if window.characters is not None]
    if not spelled:
        return None
    longest = max((len(word) for window in spelled for word in window), default=1)
    characters = np.zeros((len(windows), words, longest), np.int64)
    for row, window in enumerate(spelled):
        for column, word in enumerate(window):
            characters[row, column, : len(word)] = word
    return characters


def chunks(windows: Sequence[Window], tokens: int) -> list[list[int]]:
    """Indices of windows in groups of similar length, each of at most `tokens` with its padding.

    A window longer than that has a group of its own.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(windows)), key=lambda index: len(windows[index].ids)):
        size = len(windows[index].ids)
        if groups and (len(groups[-1]) + 1) * size <= tokens:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one window lies in a post: positions `begin` to `end`, words `first` to `last`, of which
    those from `take` to `until` are taken from it (all ends exclusive)."""

    begin: int
    end: int
    first: int
    last: int
    take: int
    until: int

    @property
    def taken(self) -> slice:
        """Among the window's own words."""
        return slice(self.take - self.first, self.until - self.first)


def cut_windows(starts: Ints, length: int, capacity: int, overlap: int) -> list[Cut]:
    """Cut a long post into overlapping windows at word borders.

    Args:
        starts: where each word's positions start.
        length: of the post, in positions.
        capacity: of one window, above `overlap`.
        overlap: of neighbours, at least, where words are short.

    Returns:
        The windows. A word in two of them is taken from the one in whose middle it is nearer; all
        words are taken, each once.
    """
    count = len(starts)
    if length <= capacity:
        return [Cut(0, length, 0, count, 0, count)]
    borders = np.append(starts, length)
    spans: list[tuple[int, int]] = []
    word = 0
    while True:
        last = int(np.searchsorted(borders, borders[word] + capacity, side="right")) - 1
        spans.append((word, last))
        if last == count:
            break
        back = int(np.searchsorted(borders, borders[last] - overlap, side="right")) - 1
        word = max(back, word + 1)
    cuts = []
    take = 0
    for index, (first, last) in enumerate(spans):
        until = count
        if index + 1 < len(spans):
            until = (spans[index + 1][0] + last + 1) // 2
        cuts.append(Cut(int(borders[first]), int(borders[last]), first, last, take, until))
        take = until
    return cuts
