"""Makes the default model: `python -m streamproc_mner.default_model RECIPE --data DIR --out DIR`.

Trains one model a seed on both Twitter data sets, their mean, and one that they taught; exports the one
that is best on posts cut from training, makes its 8-bit file, chooses when it looks, measures it on the
validation posts and writes its card. `--data` holds `twitter2015/` and `twitter2017/` as released with UMT
(Yu et al. 2020). `--out` gets the runs in `runs/` and the model in `model/`; stopped, it goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch

from streamproc.errors import StreamprocError
from streamproc_mner.analysis.look import affordable_threshold
from streamproc_mner.analysis.looking import measure_looks
from streamproc_mner.analysis.watched import Watched
from streamproc_mner.choices import store_choices
from streamproc_mner.default_model.candidates import Candidates, Maker
from streamproc_mner.default_model.card import model_card
from streamproc_mner.default_model.measured import report_of, summary_of
from streamproc_mner.exporting.calibration import MOST, Calibration
from streamproc_mner.exporting.exported import export_model
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.recipes.changing import wanted_recipe
from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.recipes.seeds import seeds_of
from streamproc_mner.saved_model import CARD, METRICS
from streamproc_mner.training.splits import Splits, read_splits

TWITTER: Final = ("twitter2015", "twitter2017")
LOOKS: Final = 0.3
"""The share of pictures that the model's own threshold looks at."""

_SEED: Final = 2022


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, choose, export, measure and write the card; the exit code."""
    options = _options(arguments)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        recipe = wanted_recipe(str(options.recipe), options.changes, options.encoder)
        folders = tuple(options.data / name for name in TWITTER)
        splits = [
            read_splits(one, recipe.types, held_out=recipe.training.held_out, repair=True)
            for one in folders
        ]
        maker = Maker(recipe, folders, options.out / "runs", options.precision, _tell)
        made = maker.make(seeds_of(options.seeds))
        _tell(f"kept: {made.best.name}, dev F1 {made.best.dev:.2f}")
        model = options.out / "model"
        finish(model, made, splits, recipe)
    except StreamprocError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="streamproc_mner.default_model", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a recipe's TOML file")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with twitter2015/ and twitter2017/"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for runs/ and model/")
    parser.add_argument("--encoder", help="in the place of the recipe's: a name or a folder")
    parser.add_argument("--seeds", default="13,14,15", help="by default 13,14,15")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--threads", type=int)
    return parser.parse_args(arguments)


def finish(model: Path, made: Candidates, splits: Sequence[Splits], recipe: Recipe) -> None:
    """Export the best candidate into a folder, with all that is chosen and measured after training."""
    if model.exists():
        shutil.rmtree(model)
    exported = export_model(made.best.trained.model, model, calibration=_calibration(splits))
    served = OnnxTagger(OnnxTaggerConfig(precision="int8")).load(model, "cpu")
    looks = measure_looks(served, [post for found in splits for post in found.dev])
    store_choices(model, look_threshold=round(affordable_threshold(Watched.of("dev", looks), LOOKS), 2))
    report = report_of(model, splits)
    path = model / METRICS
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics |= {
        "candidates": [candidate.trained.as_json() | {"name": candidate.name} for candidate in made.all],
        "valid": summary_of(report),
    }
    for candidate in metrics["candidates"]:
        del candidate["model"]  # a folder of the machine that made it
    path.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (model / CARD).write_text(model_card(splits, made, report, recipe, exported), encoding="utf-8")
    _tell(f"{model}: version {exported.version}, {exported.bytes / 1e6:.1f} MB")


def _calibration(splits: Sequence[Splits]) -> Calibration:
    """Posts that were trained on make the 8-bit file; those cut from training measure it."""
    train = [post for found in splits for post in found.train]
    dev = [post for found in splits for post in found.dev]
    chance = random.Random(_SEED)
    return Calibration(
        chance.sample(train, min(MOST, len(train))), chance.sample(dev, min(MOST, len(dev))), labelled=True
    )


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
