"""Tokenizers of a few words and all letters, for tiny encoders."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Final

WORDS: Final = [
    "in",
    "the",
    "of",
    "at",
    "and",
    "is",
    "rt",
    "http",
    "amp",
    "a",
    "man",
    "dog",
    "photo",
    "nba",
    "news",
    "kevin",
    "durant",
    "paris",
    "london",
    "nasa",
    "warriors",
    "harry",
    "potter",
    "google",
    "stadium",
]

WORD_PIECES: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
XLMR_PIECES: Final = ("<s>", "<pad>", "</s>", "<unk>")
"""In XLM-R's order: 0 begins, 1 pads, 2 ends."""


def write_word_piece(path: Path) -> int:
    """Write an uncased WordPiece tokenizer as BERT has it; returns the size of its vocabulary."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    letters = string.ascii_lowercase + string.digits
    pieces = [
        *WORD_PIECES,
        *string.punctuation,
        *letters,
        *(f"##{letter}" for letter in letters),
        *(word for word in WORDS if len(word) > 1),
    ]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(list(WORD_PIECES))
    tokenizer.save(str(path))
    return len(vocabulary)


def write_unigram(path: Path) -> int:
    """Write a Unigram tokenizer as XLM-R has it; returns the size of its vocabulary."""
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.normalizers import NFKC
    from tokenizers.pre_tokenizers import Metaspace

    pieces = [(piece, 0.0) for piece in XLMR_PIECES]
    pieces += [(f"\u2581{word}", -2.0) for word in WORDS]
    pieces += [(piece, -6.0) for piece in ("\u2581", *string.ascii_letters, *string.digits, "#", "@", ",")]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=XLMR_PIECES.index("<unk>")))
    tokenizer.normalizer = NFKC()
    tokenizer.pre_tokenizer = Metaspace()
    tokenizer.add_special_tokens([*XLMR_PIECES, "<mask>"])
    tokenizer.save(str(path))
    return len(pieces) + 1
