"""The outcomes as a table for docs/reliability.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.chaos.outcome import Outcome
from tests.chaos.scenario import Scenario

_HEAD: Final = (
    "scenario", "what happens", "times", "posts", "tagged", "dead letters", "skipped", "lost", "duplicates",
    "overtaken", "recovers, s", "lag at the end",
)  # fmt: skip
_MARKED: Final = re.compile(r"(<!-- chaos -->\n).*?(<!-- /chaos -->)", re.DOTALL)


def table(scenarios: Sequence[Scenario], outcomes: Mapping[str, Outcome], about: str) -> str:
    """Markdown.

    Args:
        scenarios: in the order of their rows.
        outcomes: by name; a scenario that was not run has no row.
        about: on what they were run.
    """
    rows = [_row(s, outcomes[s.name]) for s in scenarios if s.name in outcomes]
    rule = ["---", "---", *["--:"] * (len(_HEAD) - 2)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (_HEAD, rule, *rows)]
    return f"{about}\n\n" + "\n".join(lines) + "\n"


def _row(scenario: Scenario, outcome: Outcome) -> Sequence[str]:
    numbers = (
        outcome.times, outcome.posts, outcome.entities, outcome.letters, outcome.skipped, outcome.lost,
        outcome.duplicates, outcome.overtaken,
    )  # fmt: skip
    broken = outcome.broken(scenario.bounds)
    name = f"`{scenario.name}`" + (f" **broken**: {'; '.join(broken)}" if broken else "")
    return (name, scenario.does, *(f"{n:,}" for n in numbers), outcome.recovery, f"{outcome.lag:,}")


def paste(page: Path, made: str) -> None:
    """Put the table between the page's markers."""
    text, found = _MARKED.subn(lambda m: f"{m[1]}{made}{m[2]}", page.read_text("utf-8"))
    if not found:
        raise ValueError(f"{page} has no place for the table: expected <!-- chaos --> and <!-- /chaos -->")
    page.write_text(text, "utf-8")
