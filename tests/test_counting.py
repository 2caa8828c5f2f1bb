"""Numbers agree with their nouns."""

from __future__ import annotations

import pytest

from streamproc.counting import counted


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((0, "post"), "0 posts"),
        ((1, "post"), "1 post"),
        ((2, "post"), "2 posts"),
        ((1, "entity", "entities"), "1 entity"),
        ((3, "entity", "entities"), "3 entities"),
    ],
)
def test_one_is_singular_and_everything_else_is_plural(
    arguments: tuple[int, str] | tuple[int, str, str], told: str
) -> None:
    assert counted(*arguments) == told
