"""Trainings of recipes on shares of the posts, each measured once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from streamproc.entities import View
from streamproc.errors import StreamprocError
from streamproc_mner.analysis.groups import Group
from streamproc_mner.analysis.systems import systems_of, tag_all
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.split_files import split_files
from streamproc_mner.evaluation.loading import load_model
from streamproc_mner.evaluation.significance import counts_of
from streamproc_mner.recipes.train_process import TrainingEnded
from streamproc_mner.saved_model import METRICS

RESULT: Final = "size.json"

Train = Callable[[Sequence[str]], Mapping[str, Any]]
"""Runs `streamproc train` with these arguments; see `train_in_a_process`."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training of a recipe."""

    recipe: str
    share: float
    seed: int

    @property
    def label(self) -> str:
        """The recipe as tables name it: of a file its name."""
        return Path(self.recipe).stem if self.recipe.endswith(".toml") else self.recipe

    def __str__(self) -> str:
        return f"{self.label}, {100 * self.share:g} % of the posts, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Curve:
    """What is trained, and measured on what.

    Attributes:
        recipes: names, or TOML files.
        data: folders with the training posts.
        out: a folder for each run comes into it.
        shares: of the training posts, rising.
        seeds: of training; each also draws which posts a share is.
        options: further arguments of `streamproc train`.
        report: posts to measure on, with what was seen in their pictures.
        device: where models are measured.
    """

    recipes: tuple[str, ...]
    data: tuple[Path, ...]
    out: Path
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    options: tuple[str, ...]
    report: LabelledFile
    device: str

    @property
    def runs(self) -> list[TrainingRun]:
        """All of them, the smallest shares first."""
        return [
            TrainingRun(recipe, share, seed)
            for share in self.shares
            for recipe in self.recipes
            for seed in self.seeds
        ]

    def folder(self, run: TrainingRun) -> Path:
        """Of one run."""
        return self.out / run.label.replace("/", "-") / f"share-{run.share:g}" / f"seed-{run.seed}"

    def settings(self, run: TrainingRun) -> tuple[str, ...]:
        """Arguments of `streamproc train` for one run, but for where files lie."""
        share = f"training.share={run.share!r}"
        return (run.recipe, "--seed", str(run.seed), "--set", share, *self.options)


class Result(BaseModel):
    """What one run came to, as it is kept beside the run.

    Attributes:
        settings: of its training.
        files: sha256 of the data's files and of the one that it was measured on.
        posts: that it was trained on.
        counts: by view, of each post how many entities are gold, predicted, correct.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: tuple[str, ...]
    files: str
    posts: int
    counts: dict[View, list[tuple[int, int, int]]]


def run_result(curve: Curve, run: TrainingRun, train: Train) -> Result:
    """What a run came to: as it was kept, or trained and measured now.

    Raises:
        StreamprocError: the training failed.
    """
    folder, settings = curve.folder(run), curve.settings(run)
    read = [file for data in curve.data for file in split_files(data).values()]
    files = _digest([*read, curve.report.path])
    kept = _kept(folder / RESULT)
    if kept is not None and (kept.settings, kept.files) == (settings, files):
        return kept
    data = [part for data in curve.data for part in ("--data", str(data))]
    _trained([*settings, *data, "--out", str(folder)], train)
    model = load_model(str(folder / "model"), curve.device)
    systems = systems_of([Group(run.label, (model,))], curve.report, None)
    tagged = tag_all(systems, curve.report, lambda _: lambda _: None)
    result = Result(
        settings=settings,
        files=files,
        posts=_posts(folder / "model" / METRICS),
        counts={one.system.view: counts_of(one.judged[0]).tolist() for one in tagged},
    )
    draft = folder / f".{RESULT}.draft"
    draft.write_text(result.model_dump_json(), encoding="utf-8")
    draft.replace(folder / RESULT)
    return result


def _trained(arguments: Sequence[str], train: Train) -> None:
    try:
        train(arguments)
    except TrainingEnded as ended:
        raise StreamprocError(
            f"streamproc train {arguments[0]} ended with {ended.code}, see above; once that is mended the "
            "same command goes on"
        ) from None


def _digest(paths: Sequence[Path]) -> str:
    """Of files, one after the other."""
    digest = sha256()
    for path in paths:
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _kept(path: Path) -> Result | None:
    """A result that can be read; one that cannot is made again."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _posts(metrics: Path) -> int:
    """That a saved model says it was trained on."""
    told = json.loads(metrics.read_text(encoding="utf-8"))["posts"]
    return sum(int(splits["train"]) for splits in told.values())
