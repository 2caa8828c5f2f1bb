"""The command that trains the default model, from data on disk to a model that is served."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from streamproc.fusion.api import FusionInput, Seen
from streamproc.vision.visuals import Captions
from streamproc_mner.default_model.__main__ import main
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig

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


def test_makes_a_model_of_seeds_measures_it_and_writes_its_card(
    data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = [str(RECIPE), "--data", str(data), "--out", str(out), "--encoder", str(tiny_encoder)]
    changes = ("training.epochs=2", "training.mlm_epochs=1", "limits.window=128")
    changed = [part for change in changes for part in ("--set", change)]
    assert main([*arguments, *changed, "--threads", "1", "--seeds", "1,2"]) == 0
    runs = {path.parent.name: json.loads(path.read_text()) for path in out.glob("runs/*/result.json")}
    assert set(runs) == {"seed-1", "seed-2", "mean", "student"}

    folder = out / "model"
    model = OnnxTagger(OnnxTaggerConfig(threads=1, precision="int8")).load(folder, "cpu")
    assert len(model.tag([FusionInput("Kevin Durant in Paris")])[0].confidence) == 4
    assert model.look_threshold is not None

    metrics = json.loads((folder / "metrics.json").read_text())
    assert len(metrics["candidates"]) == 4
    best = max(metrics["candidates"], key=lambda found: found["dev"]["dev_f1"])
    assert metrics["dev"] == best["dev"]
    measured = metrics["valid"]["int8"]["twitter2017"]
    assert set(measured) == {"none", "captions", "alt", "noise"}
    assert set(measured["captions"]["against_text"]) == {"f1", "interval", "p"}
    gold = correct = predicted = 0
    for tokens, tags in _POSTS:
        caption = Seen((Captions(("a photo of a man",), (0.0,)),))
        (tagging,) = model.tag([FusionInput(" ".join(tokens), visuals={"captions": caption})])
        said = {(entity.text, entity.type) for entity in tagging.entities}
        true = set()
        for token, tag in zip(tokens, tags, strict=True):
            kind = tag[2:].replace("OTHER", "MISC")
            if tag[:1] == "B":
                true.add((token, kind))
            if tag[:1] == "I":
                true = {(f"{name} {token}", kind) for name, kind in true}
        gold, predicted, correct = gold + len(true), predicted + len(said), correct + len(said & true)
    f1 = 200 * correct / (gold + predicted)
    assert measured["captions"]["overall"]["f1"] == pytest.approx(f1, abs=0.01)
    card = (folder / "README.md").read_text()
    assert (
        f"| captions | {metrics['valid']['int8']['twitter2015']['captions']['overall']['f1']:.1f} (" in card
    )
    assert "| mean ± deviation of the seeds |" in card


def test_the_mean_is_of_the_seeds_weights(data: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [str(RECIPE), "--data", str(data), "--out", str(out), "--encoder", str(tiny_encoder)]
    changes = ["--set", "training.epochs=1", "--set", "limits.window=128", "--threads", "1"]
    assert main([*arguments, *changes, "--seeds", "1,2"]) == 0
    one, two, mean = (
        load_file(out / "runs" / name / "model" / "model.safetensors")
        for name in ("seed-1", "seed-2", "mean")
    )
    for name, weights in mean.items():
        np.testing.assert_allclose(weights, (one[name] + two[name]) / 2, atol=1e-6)


def test_missing_data_is_one_line_and_exit_code_1(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(RECIPE), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--encoder", str(tiny_encoder)]) == 1
    error = capsys.readouterr().err
    assert "twitter2015: expected train.jsonl (or .txt, .conll) in it" in error
    assert "Traceback" not in error
