"""Many training runs: recipes x seeds over data sets, each in a process of its own, and their table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Final

from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.recipes.train_process import TrainingEnded, train_in_a_process

RESULT: Final = "scores.json"
"""Of a run; `result.json` beside it is what the training wrote."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One run.

    Attributes:
        recipe: by name.
        seed: of the run.
        out: its folder; `scores.json` in it holds what came of it.
        arguments: of `streamproc train`.
    """

    recipe: str
    seed: int
    out: Path
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one run: span F1 in percent by data set, split and view, or why there is none."""

    recipe: str
    seed: int
    scores: Mapping[str, float]
    fault: str | None = None


def plan(
    recipes: Sequence[Recipe], seeds: Sequence[int], out: Path, options: Sequence[str]
) -> list[Planned]:
    """A run for each recipe and seed, seed by seed, so that each recipe has a figure soon.

    Args:
        recipes: to train.
        seeds: of each.
        out: gets a folder for each run.
        options: of `streamproc train` for all of them.
    """
    return [
        Planned(
            recipe.name, seed, folder,
            (recipe.name, "--out", str(folder), "--seed", str(seed), *options),
        )
        for seed in seeds
        for recipe in recipes
        for folder in (out / recipe.name.replace("/", "-") / f"seed-{seed}",)
    ]  # fmt: skip


def run_all(planned: Sequence[Planned], jobs: int, told: Callable[[Planned, Result], None]) -> list[Result]:
    """Do what was not done before, so many at a time.

    Args:
        planned: the runs.
        jobs: at a time: one on a CPU, more on a GPU with room for them.
        told: called as each one ends.

    Returns:
        All results, in the order of the runs.
    """
    found: dict[Planned, Result] = {}
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_run, one): one for one in planned}
        try:
            for ended in as_completed(running):
                one = running[ended]
                found[one] = ended.result()
                told(one, found[one])
        except BaseException:
            for waiting in running:
                waiting.cancel()
            raise
    return [found[one] for one in planned]


def _run(one: Planned) -> Result:
    """Train, or read what an earlier run with the same arguments came to."""
    done = one.out / RESULT
    if done.is_file():
        kept = json.loads(done.read_text(encoding="utf-8"))
        if kept["arguments"] == list(one.arguments):
            return Result(one.recipe, one.seed, kept["scores"])
    try:
        told = train_in_a_process(one.arguments, quiet=True)
    except TrainingEnded as ended:
        return Result(one.recipe, one.seed, {}, str(ended))
    kept = {"arguments": list(one.arguments), "scores": told["reported"] or told["dev"], "run": told}
    done.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return Result(one.recipe, one.seed, kept["scores"])


@dataclass(frozen=True, slots=True)
class Row:
    """One recipe over its seeds.

    Attributes:
        recipe: by name.
        scores: mean and standard deviation (0 for one seed) by data set, split and view.
        seeds: that came to an end.
        faults: why others did not.
    """

    recipe: str
    scores: Mapping[str, tuple[float, float]]
    seeds: int
    faults: tuple[str, ...]


def rows(results: Sequence[Result]) -> Iterator[Row]:
    """The table's rows, in the order of the results."""
    for name in dict.fromkeys(result.recipe for result in results):
        own = [result for result in results if result.recipe == name]
        ended = [result for result in own if result.fault is None]
        keys = dict.fromkeys(key for result in ended for key in result.scores if "/" in key)
        columns = {key: [result.scores[key] for result in ended if key in result.scores] for key in keys}
        scores = {
            key: (mean(values), stdev(values) if len(values) > 1 else 0.0)
            for key, values in columns.items()
        }
        faults = tuple(dict.fromkeys(result.fault for result in own if result.fault is not None))
        yield Row(name, scores, len(ended), faults)
