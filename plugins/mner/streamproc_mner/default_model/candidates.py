"""The models that the default model is chosen from: one a seed, their mean, and one that they taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Final

from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.training.claim import Wanted, locked
from streamproc_mner.training.judging import DEV_F1
from streamproc_mner.training.outcome import Trained
from streamproc_mner.training.run import PRETRAINED, Run

NAME: Final = "mner-tweets-sm"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model, and how it came about, in words."""

    name: str
    trained: Trained

    @property
    def dev(self) -> float:
        """F1 in percent on the posts cut from training, mean over data sets and views."""
        return self.trained.dev[DEV_F1]


@dataclass(frozen=True, slots=True)
class Candidates:
    """All of them.

    Attributes:
        seeds: one for each seed.
        joined: made of all of these: the mean of their weights, and the model that they taught.
    """

    seeds: tuple[Candidate, ...]
    joined: tuple[Candidate, ...]

    @property
    def all(self) -> tuple[Candidate, ...]:
        """In the order in which they were made."""
        return (*self.seeds, *self.joined)

    @property
    def best(self) -> Candidate:
        """The one with the best dev F1: what is reported had no say."""
        return max(self.all, key=lambda candidate: candidate.dev)

    def over_seeds(self, key: str) -> tuple[float, float | None]:
        """Mean and standard deviation of a score over the seeds; no deviation of one seed."""
        scores = [{**seed.trained.dev, **seed.trained.reported}[key] for seed in self.seeds]
        return mean(scores), stdev(scores) if len(scores) > 1 else None


@dataclass(frozen=True, slots=True)
class Maker:
    """Trains the candidates; stopped, it goes on.

    Attributes:
        recipe: of all of them.
        data: folders of the data sets.
        out: gets a folder for each.
        precision: see `Wanted`.
        told: gets a line whenever there is something to say.
    """

    recipe: Recipe
    data: tuple[Path, ...]
    out: Path
    precision: str
    told: Callable[[str], None]

    def make(self, seeds: Sequence[int]) -> Candidates:
        """One model a seed, which share the masked-LM encoder; of several, what joins them."""
        single = tuple(
            Candidate(f"seed {seed}", self._trained(self._wanted(f"seed-{seed}", seed))) for seed in seeds
        )
        if len(single) == 1:
            return Candidates(single, ())
        models = tuple(candidate.trained.model for candidate in single)
        mean_of = Candidate(f"mean of the {len(single)} seeds' weights", self._averaged(seeds[0], models))
        student = self._wanted("student", seeds[0], models)
        taught = Candidate(f"taught by the {len(single)} seeds", self._trained(student))
        return Candidates(single, (mean_of, taught))

    def _trained(self, wanted: Wanted) -> Trained:
        self.told(f"{wanted.out}:")
        with locked(wanted.out):
            return Run(wanted, self.told).train()

    def _averaged(self, seed: int, models: Sequence[Path]) -> Trained:
        wanted = self._wanted("mean", seed)
        with locked(wanted.out):
            return Run(wanted, self.told).average(models)

    def _wanted(self, folder: str, seed: int, teachers: tuple[Path, ...] = ()) -> Wanted:
        return Wanted(
            self.recipe, self.data, self.out / folder, seed, "cpu", self.precision, None, NAME, True,
            teachers, self.out / PRETRAINED,
        )  # fmt: skip
