"""`make chaos OUT=folder`: every scenario at full size, against a Kafka of its own.

What a scenario came to is kept in OUT/NAME.json; one whose file is there is not played again.
OUT/table.md is the table of all that were. Ends 1 when a guarantee was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.outcome import Outcome
from tests.chaos.scenario import Scenario
from tests.chaos.suite import SCENARIOS
from tests.chaos.table import paste, table
from tests.services import kafka as kafka_service
from tests.services.kafka import Kafka

_LIBRARIES: Final = ("faust-streaming", "aiokafka")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what was not played yet; the exit code."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios; all without any")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--table", type=Path, help="a page to put the table into; nothing is played")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - {scenario.name for scenario in SCENARIOS}:
        parser.error(f"no scenario {', '.join(sorted(unknown))}: there are {', '.join(_names())}")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.table is None:
        left = [s for s in SCENARIOS if s.name in (options.names or _names())]
        try:
            _play([s for s in left if not _file(options.out, s).is_file()], options.out)
        except pytest.skip.Exception as reason:
            sys.stderr.write(f"error: {reason}\n")
            return 2
    outcomes = {s.name: _kept(_file(options.out, s)) for s in SCENARIOS if _file(options.out, s).is_file()}
    made = table(SCENARIOS, outcomes, _about(options.out))
    (options.out / "table.md").write_text(made)
    if options.table is not None:
        paste(options.table, made)
    return _judge(outcomes)


def _names() -> list[str]:
    return [scenario.name for scenario in SCENARIOS]


def _file(out: Path, scenario: Scenario) -> Path:
    return out / f"{scenario.name}.json"


def _kept(file: Path) -> Outcome:
    return Outcome.from_json(json.loads(file.read_text()))


def _play(scenarios: Sequence[Scenario], out: Path) -> None:
    if not scenarios:
        return
    with _broker() as kafka:
        for number, scenario in enumerate(scenarios, 1):
            sys.stderr.write(f"[{number}/{len(scenarios)}] {scenario.name} x{scenario.times}: ")
            sys.stderr.flush()
            logs = out / f"{scenario.name}.logs"
            shutil.rmtree(logs, ignore_errors=True)
            logs.mkdir()
            outcome = asyncio.run(scenario.run(kafka, logs, scenario.times, scenario.posts))
            broken = outcome.broken(scenario.bounds)
            sys.stderr.write(f"{'; '.join(broken) or 'holds'} ({outcome.seconds:g} s)\n")
            _file(out, scenario).write_text(json.dumps(outcome.to_json(), indent=1) + "\n")
            if not broken:
                shutil.rmtree(logs)


@contextmanager
def _broker() -> Iterator[Kafka]:
    with tempfile.TemporaryDirectory() as folder, kafka_service.running(Path(folder)) as kafka:
        yield kafka


def _about(out: Path) -> str:
    """On what the outcomes were had: written down with the first of them."""
    file = out / "about.txt"
    if not file.is_file():
        (kafka,) = kafka_service.jars().glob("kafka_2.13-*.jar")
        libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
        release = kafka.stem.removeprefix("kafka_2.13-")
        file.write_text(
            f"streamproc {version('streamproc')}, Apache Kafka {release} (one broker), "
            f"Python {platform.python_version()}, {libraries}; {platform.system()}, "
            f"{os.cpu_count()} cores, shared with others."
        )
    return file.read_text()


def _judge(outcomes: dict[str, Outcome]) -> int:
    faults = 0
    for scenario in SCENARIOS:
        if scenario.name in outcomes and (broken := outcomes[scenario.name].broken(scenario.bounds)):
            faults += 1
            sys.stderr.write(f"BROKEN {scenario.name}: {'; '.join(broken)}\n")
            sys.stderr.writelines(f"    {note}\n" for note in outcomes[scenario.name].notes)
    sys.stderr.write(f"{len(outcomes) - faults} of {len(SCENARIOS)} scenarios hold\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
