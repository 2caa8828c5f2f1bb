"""What is fuzzed: inputs, and what has to hold of each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz.relatives import relative

Check = Callable[[Any], None]


@dataclass(frozen=True)
class Target:
    """One reader of what comes from strangers.

    Attributes:
        inputs: what it may be given.
        open: from an empty folder to the check, which raises where an input does what it must not.
        relatives: inputs that are made of each one that Hypothesis draws.
        short: how many it draws in the short run.
        cost: of one input, where that of a post is 1: the long run gives so much fewer of them.
    """

    name: str
    inputs: SearchStrategy[Any]
    open: Callable[[Path], AbstractContextManager[Check]]
    relatives: int = 0
    short: int = 100
    cost: int = 1

    def drawn(self) -> SearchStrategy[tuple[Any, int]]:
        """An input, and the seed of its relatives."""
        return st.tuples(self.inputs, st.integers(0, 2**32) if self.relatives else st.just(0))

    def check_all(self, check: Check, drawn: tuple[Any, int]) -> int:
        """Check an input and its relatives; how many they were."""
        value, seed = drawn
        check(value)
        random = Random(seed)
        for _ in range(self.relatives):
            value = relative(drawn[0] if random.random() < 0.3 else value, random)
            try:
                check(value)
            except BaseException as error:
                error.add_note(f"{self.name}: given {value!r}")
                raise
        return 1 + self.relatives


def plain(check: Check) -> Callable[[Path], AbstractContextManager[Check]]:
    """For a check that needs nothing."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Check]:
        yield check

    return opened


def is_one_line(message: str) -> None:
    """An error is one line."""
    assert message.strip(), "an error without a message"
    assert "\n" not in message, f"an error of several lines: {message!r}"
