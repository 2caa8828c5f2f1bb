"""Posts to the sub-tokens that a transformer encoder reads.

A post is `[CLS] post [SEP] context [SEP] ...`. The first sub-token of a word stands for it; a word
of which the encoder's tokenizer leaves nothing gets no sub-token and, later, the label O. A post is
never cut for its context: the context gets the room that is left. A post that is longer than the
encoder takes is read in overlapping windows, each word taken from the window that sees more
around it. What a post's sub-tokens are does not depend on other posts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import Encoding, Tokenizer

from streamproc.errors import PluginError
from streamproc_mner.data.visual_context import KINDS, Segment
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import EncodedPost, Ints, Limits, Window, cut_windows
from streamproc_mner.words import NO_SHAPE, Word, pieces_of, shapes_of

KIND_IDS: Final = {kind: index for index, kind in enumerate(KINDS, start=1)}
"""Kind numbers of sub-tokens; 0 is the post itself."""


class PostEncoder:
    """Encodes posts for one encoder.

    Args:
        tokenizer: the encoder's; its own truncation and padding are switched off, and text that
            looks like one of its special tokens is read as text.
        limits: of length.
        characters: whose characters the words are also spelled in; not spelled without it.
    """

    def __init__(self, tokenizer: Tokenizer, limits: Limits, characters: Vocabulary | None = None) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._limits = limits
        self._characters = characters
        self._cls = special_id(tokenizer, "[CLS]", "<s>")
        self._sep = special_id(tokenizer, "[SEP]", "</s>")

    @classmethod
    def from_file(cls, path: Path, limits: Limits, characters: Vocabulary | None = None) -> PostEncoder:
        """Read a `tokenizer.json`.

        Raises:
            PluginError: not a tokenizer.
        """
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise PluginError(f"{path}: not a tokenizer of the tokenizers library: {error}") from error
        return cls(tokenizer, limits, characters)

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
        longest = max(cut.end - cut.begin for cut in cuts)
        tail_ids, tail_kinds = self._fit(context, self._limits.window - 2 - longest)
        spelled = None
        if self._characters is not None:
            spelled = self._characters.spell([words[place] for place in kept], self._limits.word)
        windows = tuple(
            Window(
                np.concatenate(([self._cls], ids[cut.begin : cut.end], [self._sep], tail_ids)),
                np.concatenate((np.zeros(cut.end - cut.begin + 2, np.int64), tail_kinds)),
                np.pad(shapes[cut.begin : cut.end], ((1, 1 + len(tail_ids)), (0, 0))),
                starts[cut.first : cut.last] - cut.begin + 1,
                kept[cut.first : cut.last],
                cut.taken,
                spelled[cut.first : cut.last] if spelled is not None else None,
            )
            for cut in cuts
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
