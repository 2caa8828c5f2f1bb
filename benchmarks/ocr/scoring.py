"""How much of the known writing was read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

_LEAST: Final = 3


@dataclass(frozen=True, slots=True)
class Score:
    """Characters of the truth, characters read, and characters of both; summed over pictures."""

    truth: int = 0
    read: int = 0
    matched: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.truth + other.truth, self.read + other.read, self.matched + other.matched)

    @property
    def recall(self) -> float:
        """Share of the known characters that were read."""
        return self.matched / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float:
        """Share of what was read that is there."""
        return self.matched / self.read if self.read else 1.0


def score(truth: Iterable[str], read: Iterable[str]) -> Score:
    """Compare lines without regard to their order, to spaces, and to where lines begin and end.

    The longest run of characters that is in a line of both is matched and taken out of both; what is
    left on its sides are lines of their own; and so on, down to runs of three characters or whole
    shorter lines. Case counts.
    """
    left = [_bare(line) for line in truth]
    right = [_bare(line) for line in read]
    total = sum(map(len, left)), sum(map(len, right))
    return Score(*total, _match([line for line in left if line], [line for line in right if line]))


def _bare(line: str) -> str:
    return "".join(unicodedata.normalize("NFKC", line).split())


def _match(truth: list[str], read: list[str]) -> int:
    """The number of characters that both have."""
    runs = {(a, b): _longest(a, b) for a in set(truth) for b in set(read)}
    matched = 0
    while truth and read:
        a, b = max(((a, b) for a in set(truth) for b in set(read)), key=lambda pair: runs[pair][2])
        i, j, size = runs[a, b]
        if not size:
            break
        matched += size
        new_a, new_b = _without(truth, a, i, size), _without(read, b, j, size)
        runs |= {(x, y): _longest(x, y) for x in new_a for y in set(read)}
        runs |= {(x, y): _longest(x, y) for x in set(truth) for y in new_b}
    return matched


def _longest(a: str, b: str) -> tuple[int, int, int]:
    """Where the longest common run begins in each, and its length; 0 if it is too short to count."""
    run = SequenceMatcher(None, a, b, autojunk=False).find_longest_match()
    counts = run.size >= _LEAST or 0 < run.size == len(a) == len(b)
    return run.a, run.b, run.size if counts else 0


def _without(lines: list[str], line: str, start: int, size: int) -> Sequence[str]:
    """Take a run out of a line; its sides become lines. Returns the sides."""
    lines.remove(line)
    sides = [side for side in (line[:start], line[start + size :]) if side]
    lines += sides
    return sides
