"""`streamproc export`: from the command line to a model that is served, in float32 and in int8."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plugins import commands
from plugins.saved_families import save_random
from streamproc.fusion.api import FusionInput
from streamproc_bert_crf.tagger import BertTagger
from streamproc_mner.exporting.calibration import LEAST, read_calibration
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.tagging import TaggerModel

_export = partial(commands.run, "export")
_refused = partial(commands.refused, "export")

TOKENS = [
    ("kevin", "durant", "in", "paris"),
    ("news", "of", "london"),
    ("a", "dog", "at", "the", "google", "stadium"),
    ("nasa", "and", "the", "warriors"),
    ("harry", "potter", "is", "a", "man"),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on more threads than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def source(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of torch."""
    folder = tmp_path_factory.mktemp("saved") / "torch"
    return save_random(BertTagger, {"context": ("captions",)}, "bert-crf", tiny_encoder, folder)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled posts, each with a caption."""
    posts = [
        {
            "id": str(number),
            "tokens": [*TOKENS[number % 5], str(number)],
            "tags": ["B-PER", *["O"] * len(TOKENS[number % 5])],
            "captions": {"x": "a photo of a dog"},
        }
        for number in range(60)
    ]
    path = tmp_path_factory.mktemp("data") / "posts.jsonl"
    path.write_text("".join(json.dumps(post) + "\n" for post in posts))
    return path


@pytest.fixture(scope="module")
def exported(source: Path, labelled: Path) -> tuple[Path, dict[str, Any]]:
    """A model with both files, and what the command said of it."""
    out = source.parent / "both"
    done = _export(source, "--out", out, "--int8", "--calibrate", labelled, "--json")
    assert done.exit_code == 0, done.exception
    return out, json.loads(done.stdout)


def _load(folder: Path, precision: str) -> TaggerModel:
    config = OnnxTaggerConfig.model_validate({"threads": 1, "precision": precision})
    return OnnxTagger(config).load(folder, "cpu")


def test_a_model_is_exported_and_says_how_near_it_is(source: Path, tmp_path: Path) -> None:
    done = _export(source, "--out", tmp_path / "onnx")
    assert done.exit_code == 0, done.exception
    assert "model.onnx" in done.stdout
    assert "agrees with torch" in done.stdout
    assert "int8" not in done.stdout
    assert not (tmp_path / "onnx" / "model.int8.onnx").exists()


def test_both_files_are_told_of_with_what_the_quick_one_costs(
    exported: tuple[Path, dict[str, Any]],
) -> None:
    folder, told = exported
    assert told["parity"]["difference"] <= 1e-4
    stored = json.loads((folder / "config.json").read_text())["quick"]
    assert told["quick"]["sha256"] == stored["sha256"]
    assert set(stored["f1"]) == {"text", "image+text"}
    exact, quick = _load(folder, "float32"), _load(folder, "int8")
    assert (exact.model_version, quick.model_version) == (
        told["version"],
        _load(folder, "auto").model_version,
    )
    assert exact.model_version != quick.model_version


def test_the_quick_file_is_near_the_exact_one(exported: tuple[Path, dict[str, Any]]) -> None:
    posts = [FusionInput(" ".join(tokens)) for tokens in TOKENS]
    exact, quick = (_load(exported[0], precision).tag(posts) for precision in ("float32", "int8"))
    confidences = [np.concatenate([tagging.confidence for tagging in found]) for found in (exact, quick)]
    apart = float(np.abs(confidences[0] - confidences[1]).max())
    assert 0 < apart < 0.1


def test_agreement_and_f1_are_those_of_posts_held_out(
    exported: tuple[Path, dict[str, Any]], labelled: Path
) -> None:
    posts = read_calibration(labelled, ("PER", "LOC")).measured
    assert len(posts) == 18
    models = [_load(exported[0], precision) for precision in ("float32", "int8")]
    same = sizes = 0
    for view in ("text", "image+text"):
        found = []
        for model in models:
            taggings = model.tag([post.as_input(view) for post in posts])
            found.append({(i, e.start, e.end, e.type) for i, t in enumerate(taggings) for e in t.entities})
        same += 2 * len(found[0] & found[1])
        sizes += len(found[0]) + len(found[1])
        gold = {
            (i, post.words[s.start].start, post.words[s.end - 1].end, s.type)
            for i, post in enumerate(posts)
            for s in post.spans
        }
        f1 = [200 * len(gold & ours) / (len(gold) + len(ours)) for ours in found]
        assert exported[1]["quick"]["f1"][view] == pytest.approx(f1, abs=0.01)
    assert sizes
    assert exported[1]["quick"]["agreement"] == pytest.approx(100 * same / sizes, abs=0.01)


def test_an_exported_model_gets_the_quick_file_and_keeps_its_version(
    exported: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    plain = [
        json.dumps({"platform": "x", "id": str(number), "text": " ".join(TOKENS[number % 5])})
        for number in range(50)
    ]
    (tmp_path / "posts.jsonl").write_text("\n".join(plain))
    out = tmp_path / "again"
    done = _export(exported[0], "--out", out, "--int8", "--calibrate", tmp_path / "posts.jsonl", "--json")
    assert done.exit_code == 0, done.exception
    told = json.loads(done.stdout)
    assert told["version"] == exported[1]["version"]
    assert told["quick"]["f1"] == {}
    assert told["parity"] is None
    assert _load(out, "int8").model_version != _load(exported[0], "int8").model_version


@pytest.mark.parametrize("arguments", [("--int8",), ("--calibrate", __file__)])
def test_int8_and_its_posts_go_together(source: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, line = _refused(source, "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert "--int8 and --calibrate FILE go together" in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "posts.jsonl"),
        ('{"platform": "x", "id": "1", "text": "hello"}\n', f"1 posts, expected at least {LEAST}"),
        ('{"platform": "x", "id": "1", "text": "hello"}\n{"text": 1}\n', "posts.jsonl:2: "),
        ("hello O extra words\n", "posts.jsonl:1"),
    ],
)
def test_posts_that_cannot_be_read_are_named(
    source: Path, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(content)
    code, line = _refused(source, "--out", tmp_path / "out", "--int8", "--calibrate", path)
    assert code in (1, 2)
    assert message in line
    assert not (tmp_path / "out").exists()


def test_too_few_posts_are_said_before_the_model_is_exported(source: Path, tmp_path: Path) -> None:
    model = shutil.copytree(source, tmp_path / "model")
    (model / "model.safetensors").write_bytes(b"cut short")
    post = '{"platform": "x", "id": "1", "text": "hello"}\n'
    for count, message in ((LEAST - 1, f"expected at least {LEAST}"), (LEAST, "cut short")):
        (tmp_path / "posts.jsonl").write_text(post * count)
        _, line = _refused(
            model, "--out", tmp_path / "out", "--int8", "--calibrate", tmp_path / "posts.jsonl"
        )
        assert message in line


def test_a_post_that_is_calibrated_with_holds_no_key_twice(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(
        '{"platform": "x", "id": "1", "text": "a"}\n{"platform": "x", "id": "1", "id": "2", "text": ""}\n'
    )
    _, line = _refused(source, "--out", tmp_path / "out", "--int8", "--calibrate", path)
    assert line.endswith("posts.jsonl:2: the key 'id' stands twice in one object: keep one")
