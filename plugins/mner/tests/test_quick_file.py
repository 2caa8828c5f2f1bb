"""`precision` of `mner-onnx`: which of a model's two files is served, and when it is not the quick one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from plugins.saved_families import TEXTS, save_random
from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, FusionModel
from streamproc.testing.contract import CHECKS
from streamproc_ita.tagger import ItaTagger
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.exporting.calibration import Calibration
from streamproc_mner.exporting.exported import export_model
from streamproc_mner.exporting.quick_file import make_quick
from streamproc_mner.onnx_tagger import OnnxNetwork, OnnxTagger, OnnxTaggerConfig
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.tagging import Scores, TaggerModel
from streamproc_mner.windows import Batch
from streamproc_mner.words import words_of


@pytest.fixture(scope="module")
def folder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model with one weight file."""
    made = tmp_path_factory.mktemp("exported")
    source = save_random(ItaTagger, {"word_shapes": True}, "ita", tiny_encoder, made / "torch")
    return export_model(source, made / "onnx").folder


@pytest.fixture(scope="module")
def quick(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model with an 8-bit file beside its weights."""
    texts = ["kevin durant in paris", "news of london", "the dog at google stadium", "nasa", "a man"] * 4
    posts = [
        LabelledPost(text, tuple(words_of(text)), (), frozenset(), False, {}, str(number))
        for number, text in enumerate(texts)
    ]
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("quick") / "model")
    make_quick(copy, Calibration(posts, posts, labelled=False))
    return copy


def _precision(folder: Path, precision: str) -> TaggerModel:
    config = OnnxTaggerConfig.model_validate({"threads": 1, "precision": precision})
    return OnnxTagger(config).load(folder, "cpu")


def _spoil_expectations(folder: Path) -> None:
    """As if the file had been made on a machine that computes otherwise."""
    path = folder / "model.int8.onnx"
    model = onnx.load(path)
    told = json.loads(model.metadata_props[0].value)
    told[0]["emissions"][0][0] += 1.0
    model.metadata_props[0].value = json.dumps(told)
    onnx.save(model, path)
    config = json.loads((folder / "config.json").read_text())
    weights = {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    config["quick"] |= weights
    (folder / "config.json").write_text(json.dumps(config))


def test_the_quick_file_is_taken_where_it_is_there(quick: Path, folder: Path) -> None:
    exact, chosen = _precision(quick, "float32"), _precision(quick, "auto")
    assert exact.model_version == _precision(folder, "float32").model_version
    assert chosen.model_version == _precision(quick, "int8").model_version != exact.model_version
    left, right = (model.tag([FusionInput(text) for text in TEXTS]) for model in (exact, chosen))
    assert any(a.confidence != b.confidence for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_quick_file_keeps_the_contract_of_every_plugin(
    quick: Path, check: Callable[[FusionModel], None]
) -> None:
    check(_precision(quick, "int8"))


def test_on_a_processor_that_overflows_slower_products_are_taken(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    class Overflowing(OnnxNetwork):
        def __init__(self, path: Path, threads: int, *, careful: bool = False) -> None:
            super().__init__(path, threads, careful=careful)
            asked.append(careful)

        def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
            emissions = super().score(batch, pictures).emissions
            return Scores(emissions if asked[-1] else emissions.clip(-0.5, 0.5))

    monkeypatch.setattr("streamproc_mner.onnx_tagger.OnnxNetwork", Overflowing)
    assert _precision(quick, "int8").model_version
    assert asked == [False, True]


def test_without_a_quick_file_int8_is_refused_and_auto_is_not(folder: Path) -> None:
    with pytest.raises(
        PluginError, match=r"has no model\.int8\.onnx: set precision to float32, or make one"
    ):
        _precision(folder, "int8")
    assert _precision(folder, "auto").tag([FusionInput("paris")])


def test_a_quick_file_that_does_not_hold_here_is_passed_over(
    quick: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = shutil.copytree(quick, tmp_path / "copy")
    _spoil_expectations(copy)
    model = _precision(copy, "auto")
    assert model.model_version == _precision(quick, "float32").model_version
    (told,) = [record.getMessage() for record in caplog.records if "model.int8.onnx" in record.getMessage()]
    assert "emissions are 1 off what they were where it was made: serving model.onnx in its place" in told
    with pytest.raises(PluginError, match=r"cannot be relied on here: .*: set precision to float32"):
        _precision(copy, "int8")


@pytest.mark.parametrize("spoil", ["cut", "gone"])
def test_a_quick_file_that_is_not_whole_is_refused(quick: Path, tmp_path: Path, spoil: str) -> None:
    copy = shutil.copytree(quick, tmp_path / "copy")
    path = copy / "model.int8.onnx"
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    with pytest.raises(PluginError, match=r"model\.int8\.onnx: (\d+ bytes that are not|missing)"):
        _precision(copy, "auto")
    assert _precision(copy, "float32").tag([FusionInput("paris")])
