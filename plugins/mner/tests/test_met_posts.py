"""Figures on posts that a model was trained on, or chosen by, are said to be such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

from click.testing import CliRunner

from plugins.mner.tests.made_data import write_data_set
from plugins.saved_families import save_random
from streamproc.cli.main import cli
from streamproc_bert_crf.tagger import BertTagger
from streamproc_mner.evaluation.met_posts import met_as
from streamproc_mner.recipes.changing import wanted_recipe
from streamproc_mner.training.claim import Wanted, describe
from streamproc_mner.training.splits import read_splits

NEW = "its figures here say nothing of new posts"
CHOSEN = "expect lower figures on new posts"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with all three splits."""
    folder = write_data_set(tmp_path_factory.mktemp("data") / "made")
    write_data_set(folder.parent / "other", seed=1)
    (folder.parent / "other" / "valid.jsonl").rename(folder / "dev.jsonl")
    return folder


@pytest.fixture(scope="module")
def model(data: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that says of its run what a run says."""
    folder = save_random(
        BertTagger, {}, "bert-crf", tiny_encoder, tmp_path_factory.mktemp("saved") / "tiny"
    )
    recipe = wanted_recipe("wang2022/bert-crf", (), None)
    wanted = Wanted(
        recipe=recipe, data=(data,), out=folder, seed=1, device="cpu", precision="float32", pictures=None,
        name="tiny",
    )  # fmt: skip
    digests = read_splits(data, recipe.types, held_out=0.1).digests
    (folder / "metrics.json").write_text(json.dumps(describe(wanted, {"made": digests})))
    return folder


@pytest.fixture(scope="module")
def exported(model: Path) -> Path:
    """The same model in ONNX."""
    out = model.parent / "onnx"
    done = CliRunner().invoke(cli, ["export", str(model), "--out", str(out)])
    assert done.exit_code == 0, done.exception
    return out


def _run(*arguments: str | Path) -> tuple[Any, str]:
    """What a command prints as JSON, and what it says on standard error."""
    done = CliRunner().invoke(cli, [*map(str, arguments), "--json", "--resamples", "100"])
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize(
    ("split", "met", "said"), [("train", "train", NEW), ("dev", "dev", CHOSEN), ("valid", None, "")]
)
@pytest.mark.parametrize("kind", ["model", "exported"])
def test_evaluate_says_what_the_posts_were_to_the_model(
    data: Path, kind: str, split: str, met: str | None, said: str, request: pytest.FixtureRequest
) -> None:
    found, told = _run("evaluate", request.getfixturevalue(kind), "--data", data / f"{split}.jsonl")
    assert found["met_in_training"] == met
    assert said in told
    assert [note in told for note in (NEW, CHOSEN)] == [said == NEW, said == CHOSEN]


def test_compare_says_it_of_each_model(data: Path, model: Path, exported: Path) -> None:
    given = (f"both={model},{exported}", "capitals")
    found, told = _run("compare", *given, "--data", data / "train.jsonl")
    met = {name: one["met_in_training"] for name, one in found["models"].items()}
    assert met == {"both": ["train", "train"], "capitals": [None]}
    assert [line for line in told.splitlines() if NEW in line] == [
        f"{folder} was trained on train.jsonl: {NEW}" for folder in (model, exported)
    ]


@pytest.mark.parametrize(
    "metrics", [None, "no json", "[]", '{"data": 3}', '{"data": {"0": {"train.jsonl": "x"}}}']
)
def test_a_model_that_says_nothing_of_its_run_is_warned_of_with_nothing(
    data: Path, tmp_path: Path, metrics: str | None
) -> None:
    if metrics is not None:
        (tmp_path / "metrics.json").write_text(metrics)
    assert met_as(tmp_path, data / "train.jsonl") is None
    assert met_as(None, data / "train.jsonl") is None
