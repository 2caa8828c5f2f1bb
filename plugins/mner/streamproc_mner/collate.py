"""Posts to the arrays that an encoder reads, and emissions back to words.

A post is `[CLS] post [SEP] context [SEP] ...`. The first sub-token of a word stands for it; a word
of which the encoder's tokenizer leaves nothing gets no sub-token and, later, the label O. A post is
never cut for its context: the context gets the room that is left. A post that is longer than the
encoder takes is read in overlapping windows, each word taken from the window that sees more
around it. What a post's sub-tokens are does not depend on other posts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from streamproc.errors import PluginError
from streamproc_mner.data.visual_context import KINDS, Segment
from streamproc_mner.words import NO_SHAPE, Word, pieces_of, shapes_of

KIND_IDS: Final = {kind: index for index, kind in enumerate(KINDS, start=1)}
"""Kind numbers of sub-tokens; 0 is the post itself."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into the encoder at once, in sub-tokens.

    Attributes:
        window: of one window, everything included.
        overlap: of two windows of one post.
        context: of the visual context at most.
        word: of one word at most; the rest of a longer one is not read.
    """

    window: int = 256
    overlap: int = 64
    context: int = 128
    word: int = 32


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of a post as the encoder reads it, S sub-tokens.

    Attributes:
        ids: (S,) sub-token ids.
        kinds: (S,) 0 for the post, `KIND_IDS` for context.
        shapes: (S, 3) of each word's first sub-token, zeros elsewhere.
        firsts: positions whose emissions stand for words, in the words' order.
    """

    ids: Ints
    kinds: Ints
    shapes: Ints
    firsts: Ints


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPost:
    """A post's windows; `kept` are the indices of the words that have sub-tokens."""

    windows: tuple[Window, ...]
    kept: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows padded on the right to a common length: ids, mask, kinds (B, S), shapes (B, S, 3)."""

    ids: Ints
    mask: Ints
    kinds: Ints
    shapes: Ints


class PostEncoder:
    """Encodes posts for one encoder.

    Args:
        tokenizer: the encoder's; its own truncation and padding are switched off, and text that
            looks like one of its special tokens is read as text.
        limits: of length.
    """

    def __init__(self, tokenizer: Tokenizer, limits: Limits) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._limits = limits
        self._cls = special_id(tokenizer, "[CLS]", "<s>")
        self._sep = special_id(tokenizer, "[SEP]", "</s>")

    @classmethod
    def from_file(cls, path: Path, limits: Limits) -> PostEncoder:
        """Read a `tokenizer.json`.

        Raises:
            PluginError: not a tokenizer.
        """
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise PluginError(f"{path}: not a tokenizer of the tokenizers library: {error}") from error
        return cls(tokenizer, limits)

    def encode(
        self, posts: Sequence[Sequence[Word]], contexts: Sequence[Sequence[Segment]]
    ) -> list[EncodedPost]:
        """Encode posts with their visual contexts (none: an empty sequence)."""
        pieces = [[pieces_of(word) for word in words] for words in posts]
        flat = [[piece for word in words for piece in word] for words in pieces]
        encodings = self._tokenizer.encode_batch(flat, is_pretokenized=True, add_special_tokens=False)
        segments = self._encode_segments(contexts)
        return [
            self._encode_post(words, [len(word) for word in counted], encoding, context)
            for words, counted, encoding, context in zip(posts, pieces, encodings, segments, strict=True)
        ]

    def _encode_segments(self, contexts: Sequence[Sequence[Segment]]) -> list[list[tuple[int, list[int]]]]:
        texts = [segment.text for context in contexts for segment in context]
        ids = iter(
            [encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)]
        )
        return [[(KIND_IDS[segment.kind], next(ids)) for segment in context] for context in contexts]

    def _encode_post(
        self,
        words: Sequence[Word],
        pieces: Sequence[int],
        encoding: Encoding,
        context: Sequence[tuple[int, list[int]]],
    ) -> EncodedPost:
        ids = np.array(encoding.ids, np.int64)
        piece_words = np.repeat(np.arange(len(words)), pieces)
        word_of = piece_words[np.array(encoding.word_ids, np.int64)]
        first = np.ones(len(ids), bool)
        first[1:] = word_of[1:] != word_of[:-1]
        starts = np.flatnonzero(first)
        rank = np.arange(len(ids)) - starts[np.cumsum(first) - 1] if len(ids) else ids
        inside = rank < self._limits.word
        ids, word_of, first = ids[inside], word_of[inside], first[inside]
        shapes = np.zeros((len(ids), len(NO_SHAPE)), np.int64)
        starts = np.flatnonzero(first)
        kept = word_of[starts]
        shapes[starts] = np.array(shapes_of(words), np.int64).reshape(-1, len(NO_SHAPE))[kept]
        cuts = cut_windows(starts, len(ids), self._limits.window - 2, self._limits.overlap)
        longest = max(end - begin for begin, end, _, _ in cuts)
        tail_ids, tail_kinds = self._fit(context, self._limits.window - 2 - longest)
        windows = tuple(
            Window(
                np.concatenate(([self._cls], ids[begin:end], [self._sep], tail_ids)),
                np.concatenate((np.zeros(end - begin + 2, np.int64), tail_kinds)),
                np.pad(shapes[begin:end], ((1, 1 + len(tail_ids)), (0, 0))),
                starts[take:until] - begin + 1,
            )
            for begin, end, take, until in cuts
        )
        return EncodedPost(windows, kept)

    def _fit(self, context: Sequence[tuple[int, list[int]]], room: int) -> tuple[Ints, Ints]:
        """As much of the context as there is room for, each segment closed by a separator."""
        room = min(room, self._limits.context)
        ids: list[int] = []
        kinds: list[int] = []
        for kind, segment in context:
            fitting = segment[: max(0, room - len(ids) - 1)]
            if fitting:
                ids += [*fitting, self._sep]
                kinds += [kind] * (len(fitting) + 1)
        return np.array(ids, np.int64), np.array(kinds, np.int64)


def special_id(tokenizer: Tokenizer, *names: str) -> int:
    """The id of a special token, under the first of its usual names that the tokenizer knows.

    Raises:
        PluginError: it knows none.
    """
    for name in names:
        found = tokenizer.token_to_id(name)
        if found is not None:
            return found
    raise PluginError(f"the tokenizer has none of {', '.join(names)}: it is not one of an encoder")


def cut_windows(starts: Ints, length: int, capacity: int, overlap: int) -> list[tuple[int, int, int, int]]:
    """Cut a long post into overlapping windows at word borders.

    Args:
        starts: where each word's sub-tokens start.
        length: of the post, in sub-tokens.
        capacity: of one window, above `overlap`.
        overlap: of neighbours, at least, where words are short.

    Returns:
        For each window: its first and last (exclusive) sub-token, and the words (first, last
        exclusive) that are taken from it; a word in two windows is taken from the one in whose
        middle it is nearer. All words are taken, each once.
    """
    if length <= capacity:
        return [(0, length, 0, len(starts))]
    borders = np.append(starts, length)
    spans: list[tuple[int, int]] = []
    word = 0
    while True:
        last = int(np.searchsorted(borders, borders[word] + capacity, side="right")) - 1
        spans.append((word, last))
        if last == len(starts):
            break
        back = int(np.searchsorted(borders, borders[last] - overlap, side="right")) - 1
        word = max(back, word + 1)
    cuts = []
    take = 0
    for index, (begin, end) in enumerate(spans):
        until = len(starts)
        if index + 1 < len(spans):
            until = (spans[index + 1][0] + end + 1) // 2
        cuts.append((int(borders[begin]), int(borders[end]), take, until))
        take = until
    return cuts


def pad(windows: Sequence[Window]) -> Batch:
    """Windows as one batch; padding is id 0 under a mask of 0."""
    length = max(len(window.ids) for window in windows)
    ids = np.zeros((len(windows), length), np.int64)
    mask, kinds = np.zeros_like(ids), np.zeros_like(ids)
    shapes = np.zeros((len(windows), length, len(NO_SHAPE)), np.int64)
    for row, window in enumerate(windows):
        size = len(window.ids)
        ids[row, :size] = window.ids
        mask[row, :size] = 1
        kinds[row, :size] = window.kinds
        shapes[row, :size] = window.shapes
    return Batch(ids, mask, kinds, shapes)
