"""`make recipes`: teaches every recipe at a tiny size, and prints what each reached.

What passed is kept in `.cache/recipes`, and is not done again until code or recipe change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from transformers.utils import logging

from streamproc.errors import SettingsError
from streamproc.fusion.discovery import find_plugin
from streamproc_mner.recipes.recipe import Recipe, all_recipes, find_recipe
from streamproc_mner.serving_config import TorchTaggerConfig
from tests.recipes.checks import show_contract, show_fresh_process, show_learning
from tests.recipes.encoders import make_encoders

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / ".cache" / "recipes"


def main() -> int:
    """Run what was not run yet; the exit code."""
    parser = argparse.ArgumentParser(prog="make recipes", description=__doc__)
    parser.add_argument("names", nargs="*", help="recipes; all without any")
    parser.add_argument("--again", action="store_true", help="also those that passed before")
    options = parser.parse_args()
    try:
        recipes = [find_recipe(name) for name in options.names] or list(all_recipes())
    except SettingsError as error:
        parser.error(str(error))
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        encoders = make_encoders(Path(folder))
        bar = track(recipes, "recipes", console=Console(stderr=True))
        results = [_result(recipe, encoders, Path(folder), options.again) for recipe in bar]
    _print(results)
    return 1 if any("fault" in result for result in results) else 0


def _result(recipe: Recipe, encoders: Path, folder: Path, again: bool) -> dict[str, Any]:
    mark = _mark(recipe)
    kept = KEPT / f"{recipe.name.replace('/', '-')}.json"
    if kept.is_file() and not again:
        result: dict[str, Any] = json.loads(kept.read_text())
        if result["mark"] == mark:
            return result
    begin = time.monotonic()
    model = folder / recipe.name
    try:
        shown = show_learning(recipe, encoders, model / "learnt").to_json()
        served = find_plugin(recipe.plugin)(TorchTaggerConfig()).load(model / "learnt", "cpu")
        show_fresh_process(recipe, served, model / "learnt")
        show_contract(recipe, encoders, model / "random")
    except AssertionError as error:
        return {"recipe": recipe.name, "fault": str(error)}
    result = {**shown, "mark": mark, "seconds": round(time.monotonic() - begin, 1)}
    kept.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _mark(recipe: Recipe) -> str:
    """Changes with the recipe and with any code that it may run."""
    digest = hashlib.sha256(recipe.model_dump_json().encode())
    folders = [
        ROOT / "streamproc" / "testing",
        Path(__file__).parent,
        *sorted((ROOT / "plugins").iterdir()),
    ]
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _print(results: list[dict[str, Any]]) -> None:
    console = Console(width=110)
    table = Table(title="recipes at tiny sizes", title_justify="left", box=None, pad_edge=False)
    table.add_column("recipe", no_wrap=True)
    for column in ("weights", "steps", "F1", "other picture", "no picture", "seconds"):
        table.add_column(column, justify="right")
    for result in results:
        if "fault" in result:
            table.add_row(result["recipe"], "[red]failed[/red]")
            continue
        learnt = result["learnt"]
        views = (learnt["other"], learnt["none"]) if result["sees"] else ()
        figures = [f"{learnt['own']:.3f}", *(f"{view:.3f}" for view in views)] + [""] * (2 - len(views))
        table.add_row(
            result["recipe"],
            f"{result['weights']:,}",
            str(learnt["steps"]),
            *figures,
            str(result["seconds"]),
        )
    console.print(table)
    failed = [result for result in results if "fault" in result]
    for result in failed:
        console.print(f"FAIL {result['fault']}", markup=False)
    console.print(f"{len(results) - len(failed)} of {len(results)} recipes pass")


if __name__ == "__main__":
    sys.exit(main())
