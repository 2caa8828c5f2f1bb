"""Sentence length: chen2021-wnut figure 2."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from streamproc.errors import SettingsError
from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.parts import Cut, findings_by_part
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.systems import Tagged
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.labels import Span


def by_length(tagged: Sequence[Tagged], borders: Sequence[int], draws: Draws) -> Findings:
    """F1 by the number of a post's words (chen2021-wnut section 5.2, figure 2).

    Args:
        tagged: the same posts by each system.
        borders: of `borders_of`.
        draws: of the bootstrap.
    """
    parts = part_names(borders)

    def part(post: LabelledPost) -> str:
        return parts[bisect_left(borders, len(post.words))]

    def assign(post: LabelledPost, _: Span) -> str:
        return part(post)

    posts = Counter(part(post) for post in tagged[0].posts)
    told = ", ".join(f"{name}: {posts[name]}" for name in parts)
    notes = (f"Posts by words: {told}.", "Words as live posts are cut.")
    return findings_by_part(
        "length", "F1 by sentence length", tagged, Cut("words", parts, assign), notes, draws
    )


def borders_of(text: str) -> tuple[int, ...]:
    """Numbers such as `7,14,21`: the longest post of each part but the last.

    Raises:
        SettingsError: no numbers, or they do not rise.
    """
    parts = [part.strip() for part in text.split(",")]
    borders = tuple(int(part) for part in parts if part.isdecimal())
    if len(borders) < len(parts) or any(low >= high for low, high in pairwise((0, *borders))):
        raise SettingsError(f"--borders {text}: expected rising numbers from 1, such as 7,14,21")
    return borders


def part_names(borders: Sequence[int]) -> tuple[str, ...]:
    """Such as `1-7`, `8-14`, `15 and more`."""
    starts = [1, *(border + 1 for border in borders)]
    closed = [
        f"{low}-{high}" if low < high else str(low) for low, high in zip(starts, borders, strict=False)
    ]
    return (*closed, f"{starts[-1]} and more")
