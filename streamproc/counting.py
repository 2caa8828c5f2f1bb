"""Numbers with their nouns, as people are told them."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 post`, `2 posts`.

    Args:
        number: how many.
        one: what is counted, in the singular.
        many: its plural; by default with an `s`.
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"
