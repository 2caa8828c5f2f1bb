"""Makes the default model: `python -m streamproc_mner.default_model RECIPE --data DIR --out DIR`.

`streamproc train` on both Twitter data sets, `streamproc export`, and the model card with what is
measured on the validation posts. `--data` holds `twitter2015/` and `twitter2017/` as released with UMT
(Yu et al. 2020). `--out` gets the run in `run/` and the model in `model/`; stopped, it goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch

from streamproc.errors import StreamprocError
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.default_model.card import model_card
from streamproc_mner.evaluation.contexts import contexts_of, tag_labelled
from streamproc_mner.evaluation.spans import Evaluation, evaluate_spans
from streamproc_mner.exporting.exported import export_model
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.recipes.changing import wanted_recipe
from streamproc_mner.recipes.recipe import Recipe
from streamproc_mner.saved_model import CARD, METRICS
from streamproc_mner.training.claim import Wanted, locked
from streamproc_mner.training.run import Run
from streamproc_mner.training.splits import Splits, read_splits

NAME: Final = "mner-tweets-sm"
TWITTER: Final = ("twitter2015", "twitter2017")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export, measure and write the card; the exit code."""
    options = _options(arguments)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        recipe = wanted_recipe(str(options.recipe), options.changes, options.encoder)
        folders = tuple(options.data / name for name in TWITTER)
        wanted = Wanted(
            recipe, folders, options.out / "run", options.seed, "cpu", options.precision, None, NAME, True
        )
        with locked(wanted.out):
            trained = Run(wanted, _tell).train()
        model = options.out / "model"
        if model.exists():
            shutil.rmtree(model)
        exported = export_model(trained.model, model)
        write_card(model, recipe, folders, options.seed, exported.bytes)
    except StreamprocError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _tell(f"{model}: version {exported.version}, {exported.bytes / 1e6:.1f} MB")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="streamproc_mner.default_model", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a recipe's TOML file")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with twitter2015/ and twitter2017/"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for run/ and model/")
    parser.add_argument("--encoder", help="in the place of the recipe's: a name or a folder")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--threads", type=int)
    return parser.parse_args(arguments)


def write_card(folder: Path, recipe: Recipe, data: Sequence[Path], seed: int, size: int) -> None:
    """Measure what is served on the validation posts; add it to `metrics.json`, and write the card."""
    splits = [
        read_splits(one, recipe.types, held_out=recipe.training.held_out, repair=True) for one in data
    ]
    valid = measure_served(folder, splits)
    path = folder / METRICS
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics["valid"] = {
        name: {context: found.summary() for context, found in by_context.items()}
        for name, by_context in valid.items()
    }
    path.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    card = model_card(splits, valid, recipe, seed, size)
    (folder / CARD).write_text(card, encoding="utf-8")


def measure_served(folder: Path, splits: Sequence[Splits]) -> dict[str, dict[str, Evaluation]]:
    """Scores of a saved model on the validation posts, as the stream is served."""
    model = OnnxTagger(OnnxTaggerConfig()).load(folder, "cpu")

    def scores(posts: Sequence[LabelledPost]) -> Mapping[str, Evaluation]:
        return {
            name: evaluate_spans(posts, tag_labelled(model, posts, contexts))
            for name, contexts in contexts_of(posts).items()
        }

    return {found.name: dict(scores(found.reported["valid"])) for found in splits}


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
