"""How the benchmark counts characters that were read."""

from __future__ import annotations

import pytest

from benchmarks.ocr.scoring import Score, score


@pytest.mark.parametrize(
    ("truth", "read", "expected"),
    [
        (["Hamburg"], ["Hamburg"], Score(7, 7, 7)),
        (["Kate Bush", "live"], ["live", "KateBush"], Score(12, 12, 12)),
        (["Kate Bush live"], ["Kate", "Bush live"], Score(12, 12, 12)),
        (["left", "right"], ["left right"], Score(9, 9, 9)),
        (["Hamburg"], ["HAMBURG"], Score(7, 7, 0)),
        (["Hamburg"], ["Hamb0rg"], Score(7, 7, 4)),
        (["Nice"], ["Nice", "Nice"], Score(4, 8, 4)),
        (["Nice", "Nice"], ["Nice"], Score(8, 4, 4)),
        (["A1"], ["A1"], Score(2, 2, 2)),
        (["A1", "B"], ["A1B"], Score(3, 3, 0)),
        (["Hamburg"], [], Score(7, 0, 0)),
        ([], ["Hamburg"], Score(0, 7, 0)),
    ],
)
def test_characters_count_wherever_they_are_read_once_each(
    truth: list[str], read: list[str], expected: Score
) -> None:
    assert score(truth, read) == expected


def test_scores_of_pictures_are_summed_before_they_are_shares() -> None:
    total = Score(10, 8, 6) + Score(30, 2, 2)
    assert (total.recall, total.precision) == (0.2, 0.8)
