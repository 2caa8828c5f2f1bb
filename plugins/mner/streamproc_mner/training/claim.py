"""What a run trains on what, written into its folder: a run goes on only as what it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from streamproc.errors import InputError
from streamproc_mner.recipes.recipe import Recipe

RUN: Final = "run.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is trained on what.

    Attributes:
        recipe: with the user's changes.
        data: folders of data sets, each with `train` and maybe `dev`, `valid`, `test`.
        out: the run's folder.
        seed: of everything that is drawn.
        device: `cpu`, `cuda`, or `auto`: a GPU where there is one.
        precision: a name of `PRECISIONS`.
        pictures: `--out` of `streamproc extract` over the posts' pictures.
        name: of the model.
        repair: mend tags that are not BIO2.
    """

    recipe: Recipe
    data: tuple[Path, ...]
    out: Path
    seed: int
    device: str
    precision: str
    pictures: Path | None
    name: str
    repair: bool = False


def describe(wanted: Wanted, digests: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Everything that decides what comes of a run, as JSON has it.

    Args:
        wanted: what is trained on what.
        digests: sha256 of the data sets' files.
    """
    described = {
        "recipe": wanted.recipe.model_dump(mode="json", exclude={"published", "paper", "about"}),
        "seed": wanted.seed,
        "precision": wanted.precision,
        "data": {str(number): files for number, files in enumerate(digests.values())},
        "pictures": None if wanted.pictures is None else _digest_of(wanted.pictures / "pictures.jsonl"),
        "name": wanted.name,
        "repair": wanted.repair,
    }
    found: dict[str, Any] = json.loads(json.dumps(described, default=dict))
    return found


def claim(out: Path, described: Mapping[str, Any]) -> None:
    """Make a folder this run's.

    Raises:
        InputError: it holds another run.
    """
    path = out / RUN
    out.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        path.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    if before != described:
        raise InputError(
            f"{out}: holds a run with {_difference(before, described)}: name another --out, or start over "
            "there with --again"
        )


def _digest_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _difference(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> str:
    """The first setting that is another one."""
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            return _difference(old, new, f"{prefix}{key}.")
        if prefix.startswith("data."):
            return "other data"
        return f"{prefix}{key} = {old!r}, not {new!r}"
    return "other settings"
