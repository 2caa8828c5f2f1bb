"""Vectors of words: a table of them, and files with pretrained ones."""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamproc.errors import InputError
from streamproc_mner.vocabulary import PADDING, UNKNOWN, Vocabulary

Progress = Callable[[int, int], None]
"""Told now and then how many bytes were read, and of how many."""

Floats = NDArray[np.float32]

_TOLD_EVERY = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class WordVectors:
    """Pretrained vectors for some words of a vocabulary: ids (n,), vectors (n, D)."""

    ids: NDArray[np.int64]
    vectors: Floats


class WordTable(nn.Module):
    """A vector for each word; random U(-sqrt(3 / D), sqrt(3 / D)) (Ma & Hovy 2016) until learnt.

    Args:
        count: rows, padding and unknown included.
        width: D, of a vector.
        dropout: share of words that are read as unknown in training. Without it, or words that are
            really unknown in the training posts, the vector of unknown words is never learnt.
    """

    def __init__(self, count: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.vectors = nn.Embedding(count, width, padding_idx=PADDING)
        self.dropout = dropout
        bound = math.sqrt(3 / width)
        with torch.no_grad():
            self.vectors.weight.uniform_(-bound, bound)
            self.vectors.weight[PADDING].zero_()

    @torch.no_grad()
    def fill(self, pretrained: WordVectors) -> None:
        """Put pretrained vectors in the rows of their words."""
        self.vectors.weight[torch.from_numpy(pretrained.ids)] = torch.from_numpy(pretrained.vectors)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) word ids to (B, T, D)."""
        if self.training and self.dropout:
            chosen = torch.rand(ids.shape, device=ids.device) < self.dropout
            ids = ids.masked_fill(chosen & (ids != PADDING), UNKNOWN)
        vectors: Tensor = self.vectors(ids)
        return vectors


def read_word_vectors(
    path: Path, vocabulary: Vocabulary, width: int, on_progress: Progress | None = None
) -> WordVectors:
    """Read the vectors of a vocabulary's words from a file in GloVe's text format.

    Each line is a word and its D numbers, parted by single spaces. A first line with two numbers
    (word2vec's text format) is passed over. A word that is not in the file as it is written gets
    the vector of its lower case. Only the numbers of known words are read.

    Args:
        path: of the file, UTF-8.
        vocabulary: whose words are looked for.
        width: D.
        on_progress: told about every 16 MiB, and at the end.

    Raises:
        InputError: the file cannot be read, its vectors are not of this width, or a line is not
            UTF-8 or not numbers; says which.
    """
    wanted = {spelled for word in vocabulary.words for spelled in (word, word.lower())}
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            found = _Scan(path, wanted, width).read(file, size, on_progress)
    except OSError as error:
        raise InputError(f"{path}: word vectors cannot be read: {error.strerror or error}") from error
    matched = [
        (row, found[word if word in found else word.lower()])
        for row, word in enumerate(vocabulary.words, UNKNOWN + 1)
        if word in found or word.lower() in found
    ]
    if vocabulary.words and not matched:
        raise InputError(f"{path}: no vector for any of the vocabulary's words: expected GloVe's format")
    ids = np.array([row for row, _ in matched], np.int64)
    return WordVectors(ids, np.array([vector for _, vector in matched], np.float32).reshape(-1, width))


class _Scan:
    """One reading of a file of word vectors."""

    def __init__(self, path: Path, wanted: Set[str], width: int) -> None:
        self._path = path
        self._wanted = wanted
        self._width = width

    def read(self, file: BinaryIO, size: int, on_progress: Progress | None) -> dict[str, Floats]:
        """The vectors of the wanted words."""
        found: dict[str, Floats] = {}
        done = told = 0
        for number, line in enumerate(file, 1):
            done += len(line)
            if on_progress is not None and done - told >= _TOLD_EVERY:
                on_progress(done, size)
                told = done
            if number == 1 and self._is_header(line):
                continue
            word = self._word(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line, number)
            if word is not None and word in self._wanted and word not in found:
                found[word] = self._vector(line, number)
        if on_progress is not None:
            on_progress(done, size)
        return found

    def _is_header(self, line: bytes) -> bool:
        """Whether a line is `number of words, width`; in vectors of one number no line is."""
        fields = line.split()
        if self._width == 1 or len(fields) != 2 or not all(field.isdigit() for field in fields):
            return False
        self._check_width(int(fields[1]), 1)
        return True

    def _word(self, line: bytes, number: int) -> str | None:
        """The word of a line; `None` where it has spaces, which no word of a post has."""
        spaces = line.rstrip().count(b" ")
        if spaces > self._width and number > 1:
            return None
        self._check_width(spaces, number)
        try:
            return line.partition(b" ")[0].decode()
        except UnicodeDecodeError as error:
            raise self._wrong(number, f"not UTF-8 ({error.reason})", "save the file as UTF-8") from error

    def _vector(self, line: bytes, number: int) -> Floats:
        fields = line.split()[-self._width :]
        try:
            vector = np.array([float(field) for field in fields], np.float32)
        except ValueError as error:
            raise self._wrong(number, f"not a number: {error}", "get the file again") from error
        if not np.isfinite(vector).all():
            raise self._wrong(number, "a number that is not finite", "get the file again")
        return vector

    def _check_width(self, found: int, number: int) -> None:
        if found != self._width:
            fault = f"a vector of {found} numbers, expected {self._width}"
            raise self._wrong(number, fault, "set word_width to the file's, or get the file again")

    def _wrong(self, number: int, fault: str, cure: str) -> InputError:
        return InputError(f"{self._path}, line {number}: {fault}: {cure}")
