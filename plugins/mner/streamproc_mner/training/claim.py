"""What a run trains on what, written into its folder: a run goes on only as what it was."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from streamproc.errors import InputError, SettingsError
from streamproc_mner.model_folder import plugin_of
from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.saved_files import CONFIG

RUN: Final = "run.json"
LOCK: Final = ".lock"


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
        teachers: folders of models whose posteriors it is to learn, too.
        pretrained: file for the masked-LM encoder, for several runs that share it; by default each has
            its own in its folder.
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
    teachers: tuple[Path, ...] = ()
    pretrained: Path | None = None


def describe(wanted: Wanted, digests: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Everything that decides what comes of a run, as JSON has it.

    Args:
        wanted: what is trained on what.
        digests: sha256 of the data sets' files.

    Raises:
        PluginError: a teacher's folder is no saved model.
    """
    described = {
        "recipe": wanted.recipe.model_dump(mode="json", exclude={"published", "paper", "about"}),
        "seed": wanted.seed,
        "precision": wanted.precision,
        "data": {str(number): files for number, files in enumerate(digests.values())},
        "pictures": None if wanted.pictures is None else _digest_of(wanted.pictures / "pictures.jsonl"),
        "name": wanted.name,
        "repair": wanted.repair,
        "teachers": [_digest_of_model(folder) for folder in wanted.teachers],
    }
    found: dict[str, Any] = json.loads(json.dumps(described, default=dict))
    return found


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder; it is made if it is not there.

    Raises:
        InputError: another process trains there, or the folder cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / LOCK).open("a")
    except OSError as error:
        raise InputError(f"{out}: cannot be written to: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{out}: another process trains there: wait for it, or name another --out"
            ) from None
        yield


def claim(out: Path, described: Mapping[str, Any]) -> None:
    """Make a folder this run's.

    Raises:
        InputError: it holds another run, or what it holds is damaged.
    """
    path = out / RUN
    if not path.is_file():
        draft = out / f".{RUN}.draft"
        draft.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        before = None
    if not isinstance(before, dict):
        raise InputError(f"{path}: damaged: start again with --again")
    if before != described:
        raise InputError(
            f"{out}: holds a run with {_difference(before, described)}: name another --out, or start over "
            "there with --again"
        )


def unclaim(out: Path) -> None:
    """Give a folder back in which nothing was trained yet: what was wanted cannot be had."""
    if not any((out / "epochs").glob("*")):
        (out / RUN).unlink(missing_ok=True)


def start_over(out: Path) -> None:
    """Empty the folder of a run, and of nothing else.

    Raises:
        SettingsError: it holds something else.
    """
    inside = [path for path in out.iterdir() if path.name != LOCK]
    if inside and not (out / RUN).is_file():
        raise SettingsError(f"--again: {out} is not empty and holds no run: name another --out")
    for path in inside:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _digest_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _digest_of_model(folder: Path) -> str:
    """Of its description, which has the digest of its weights and its temperature."""
    plugin_of(folder)  # says what the folder is if it is no saved model
    return _digest_of(folder / CONFIG)


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
