"""The command that trains the default model, from data on disk to a model that is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamproc.fusion.api import FusionInput
from streamproc_mner.default_model.__main__ import main
from streamproc_mner.evaluation.contexts import contexts_of, tag_labelled
from streamproc_mner.labels import ENTITY_TYPES
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.training.splits import read_splits

RECIPE = Path(__file__).parents[2] / "mner_tweets_sm" / "recipe.toml"
_POSTS = [
    (["Kevin", "Durant", "in", "Paris"], ["B-PER", "I-PER", "O", "B-LOC"]),
    (["Harry", "Potter", "at", "Google"], ["B-OTHER", "I-OTHER", "O", "B-ORG"]),
    (["news", "of", "the", "NBA"], ["O", "O", "O", "B-ORG"]),
    (["a", "man", "in", "London"], ["O", "O", "O", "B-LOC"]),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, copies in (("twitter2015", 3), ("twitter2017", 2)):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        lines = [
            json.dumps({"id": "1", "tokens": tokens, "tags": tags, "captions": {"x": "a photo of a man"}})
            for tokens, tags in _POSTS
        ]
        (folder / "train.jsonl").write_text("\n".join(lines * copies * 3))
        (folder / "valid.jsonl").write_text("\n".join(lines))
    return tmp_path / "data"


def test_trains_exports_measures_and_writes_a_model_that_is_served(
    data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = [str(RECIPE), "--data", str(data), "--out", str(out), "--encoder", str(tiny_encoder)]
    changes = ["--set", "training.epochs=2", "--set", "limits.window=128"]
    assert main([*arguments, *changes, "--threads", "1"]) == 0
    logged = [json.loads(line) for line in (out / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in logged] == [1, 2]

    folder = out / "model"
    model = OnnxTagger(OnnxTaggerConfig(threads=1)).load(folder, "cpu")
    assert len(model.tag([FusionInput("Kevin Durant in Paris")])[0].confidence) == 4

    metrics = json.loads((folder / "metrics.json").read_text())
    measured = metrics["valid"]["twitter2017"]
    assert set(measured) == {"none", "captions", "alt", "noise"}
    valid = read_splits(data / "twitter2017", ENTITY_TYPES, held_out=0.06).reported["valid"]
    found = tag_labelled(model, valid, contexts_of(valid)["captions"])
    gold = {(i, span) for i, post in enumerate(valid) for span in post.spans}
    predicted = {(i, span) for i, spans in enumerate(found) for span in spans}
    f1 = 200 * len(gold & predicted) / (len(gold) + len(predicted))
    assert measured["captions"]["overall"]["f1"] == pytest.approx(f1, abs=0.01)
    card = (folder / "README.md").read_text()
    assert f"| captions | {metrics['valid']['twitter2015']['captions']['overall']['f1']:.1f} |" in card


def test_missing_data_is_one_line_and_exit_code_1(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(RECIPE), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--encoder", str(tiny_encoder)]) == 1
    error = capsys.readouterr().err
    assert "twitter2015: expected train.jsonl (or .txt, .conll) in it" in error
    assert "Traceback" not in error
