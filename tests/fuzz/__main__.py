"""`make fuzz`: feeds every target for as long, or with as much, as is asked for.

What was found is kept in `.cache/fuzz`, and tried first the next time; so is how many inputs each
target has had since the code changed. A run that is stopped goes on from there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from rich.console import Console

from tests.fuzz.target import Check, Target
from tests.fuzz.targets import TARGETS

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / ".cache" / "fuzz"
_CODE: Final = ("streamproc", "plugins/mner/streamproc_mner", "tests/fuzz")
_TOLD_EVERY_S: Final = 15.0


@dataclass
class Run:
    """One target on its way.

    Attributes:
        done: inputs that it has had, those of earlier runs of the same code with them.
        wanted: how many it is to have.
        seconds: how long it may take, from its first input on.
    """

    target: Target
    done: int
    wanted: float
    seconds: float
    console: Console

    @property
    def over(self) -> bool:
        """Whether it has had what it was to have."""
        return self.done >= self.wanted or time.monotonic() >= self._begun + self.seconds

    def feed(self, check: Check) -> None:
        """Give it inputs, and say now and then how far it is.

        Raises:
            BaseException: what an input must not do; hypothesis tells the smallest such input.
        """
        self._before = self.done
        self._begun = self._told = time.monotonic()
        phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
        size = max(20, 1000 // self.target.cost)

        def one(drawn: Any) -> None:
            self.done += self.target.check_all(check, drawn)

        one.__qualname__ = f"fuzz_{self.target.name}"  # its place in what is kept
        while not self.over:
            # Hypothesis remembers all of a round, which makes long ones slow.
            settings(
                max_examples=size,
                deadline=None,
                database=DirectoryBasedExampleDatabase(KEPT / "examples"),
                suppress_health_check=list(HealthCheck),
                phases=phases,
                print_blob=True,
            )(given(self.target.drawn())(one))()
            self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told >= _TOLD_EVERY_S or self.over:
            self._told = now
            rate = (self.done - self._before) / max(now - self._begun, 1e-3)
            self.console.print(f"{self.target.name}: {self.done:,} inputs, {rate:,.0f}/s", highlight=False)


def main() -> int:
    """Feed the targets; the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument(
        "names", nargs="*", help=f"of {', '.join(t.name for t in TARGETS)}; all without any"
    )
    parser.add_argument("--seconds", type=float, help="how long in all")
    parser.add_argument(
        "--examples", type=int, help="inputs of each target; fewer of one that costs more than a post"
    )
    options = parser.parse_args()
    targets = [target for target in TARGETS if target.name in options.names or not options.names]
    if unknown := set(options.names) - {target.name for target in targets}:
        parser.error(f"no target named {', '.join(sorted(unknown))}")
    seconds = options.seconds or (float("inf") if options.examples else 600.0)
    logging.disable(logging.CRITICAL)  # of what cannot be read is told, which here is most
    console, counts, failed = Console(soft_wrap=True), Counts(), []
    for target in targets:
        share = seconds / len(targets)
        wanted = options.examples / target.cost if options.examples else float("inf")
        run = Run(target, counts.of(target), wanted, share, console)
        try:
            with tempfile.TemporaryDirectory() as folder, target.open(Path(folder)) as check:
                run.feed(check)
        except Exception as error:  # noqa: BLE001 - whatever an input may not do; the others go on
            console.print(
                "".join(traceback.format_exception(error, limit=-4)), markup=False, highlight=False
            )
            failed.append(f"{target.name}: {error!r}"[:300])
        finally:
            counts.keep(target, run.done)
    for line in failed:
        console.print(f"FAIL {line}", markup=False)
    console.print(f"{len(targets) - len(failed)} of {len(targets)} targets stand")
    return 1 if failed else 0


class Counts:
    """How many inputs each target has had since the code changed, kept in a file."""

    def __init__(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        self._file = KEPT / "counts.json"
        self._mark = _mark()

    def of(self, target: Target) -> int:
        """Of one target."""
        return int(self._read().get(target.name, 0))

    def keep(self, target: Target, count: int) -> None:
        """Remember it."""
        counts = {**self._read(), target.name: count}
        self._file.write_text(json.dumps({"mark": self._mark, "counts": counts}, indent=1) + "\n")

    def _read(self) -> dict[str, int]:
        if not self._file.is_file():
            return {}
        kept = json.loads(self._file.read_text())
        return dict(kept["counts"]) if kept["mark"] == self._mark else {}


def _mark() -> str:
    """Changes with any code that an input may meet."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in _CODE for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
