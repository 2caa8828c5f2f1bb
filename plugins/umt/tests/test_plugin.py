"""The plugin on saved models of every variant: the contract, a fresh process, pictures, explanations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Need, Seen
from streamproc.fusion.discovery import find_plugin
from streamproc.testing.contract import CHECKS
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_umt.plugin import Umt
from streamproc_umt.tagger import UmtTagger

TEXT = "Kevin Durant in Paris"

_IN_A_FRESH_PROCESS = """
import sys
from pathlib import Path
import numpy as np
import torch
from streamproc_mner.nn.inputs import Inputs, PictureInputs
from streamproc_mner.nn.stored import load_tagger
from streamproc_mner.saved_model import read_model
from streamproc_umt.tagger import UmtTagger
for folder in map(Path, sys.argv[1:]):
    given = [torch.from_numpy(array) for array in np.load(folder / "inputs.npz").values()]
    network = load_tagger(read_model(folder, "model.safetensors"), UmtTagger)
    with torch.inference_mode():
        emissions = network(Inputs(*given[:6], picture=PictureInputs(*given[6:]))).emissions
    np.save(folder / "emissions.npy", emissions.numpy())
"""


@pytest.fixture
def model(
    make: Callable[..., UmtTagger],
    save: Callable[[UmtTagger, Path], Path],
    variant: dict[str, Any],
    tmp_path: Path,
) -> TaggerModel:
    """One variant, saved and loaded."""
    return _load(save(make(**variant), tmp_path / "model"))


@pytest.fixture(scope="module")
def folder(
    make: Callable[..., UmtTagger],
    save: Callable[[UmtTagger, Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The whole network, saved."""
    return save(make(), tmp_path_factory.mktemp("whole") / "model")


def _load(folder: Path, **config: object) -> TaggerModel:
    return Umt(TorchTaggerConfig.model_validate(config)).load(folder, "cpu")


def _seen(seed: int = 0, width: int = 6) -> dict[str, Seen]:
    grid = np.random.default_rng(seed).normal(size=(49, width)).astype(np.float16)
    return {"grid": Seen((grid,))}


def test_contract(model: FusionModel) -> None:
    for check in CHECKS:
        check(model)


def test_it_is_found_by_its_name(folder: Path) -> None:
    assert find_plugin("streamproc_umt.plugin:Umt") is Umt
    assert Umt.name == "umt"
    assert Umt.modalities == {"grid": Need.OPTIONAL}
    model = _load(folder)
    assert (model.modalities, model.widths) == ({"grid": Need.OPTIONAL}, {"grid": 6})


def test_a_fresh_process_gives_the_trained_networks_emissions_to_the_last_bit(
    make: Callable[..., UmtTagger],
    save: Callable[[UmtTagger, Path], Path],
    view: Callable[..., Inputs],
    tmp_path: Path,
) -> None:
    inputs = view(("Kevin Durant in Paris", 0), ("ox", None))
    assert inputs.picture is not None
    parts = [inputs.ids, inputs.mask, inputs.kinds, inputs.shapes, inputs.firsts, inputs.words]
    parts += [inputs.picture.features, inputs.picture.boxes, inputs.picture.mask]
    networks = [make(), make(span_detection="fixed-conversion", labels="pad-as-authors")]
    folders = [save(network, tmp_path / str(index)) for index, network in enumerate(networks)]
    for folder in folders:
        np.savez(folder / "inputs.npz", *(part.numpy() for part in parts))
    command = [sys.executable, "-c", _IN_A_FRESH_PROCESS, *map(str, folders)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    for network, folder in zip(networks, folders, strict=True):
        with torch.inference_mode():
            expected = network(inputs).emissions.numpy()
        np.testing.assert_array_equal(np.load(folder / "emissions.npy"), expected)


def test_a_picture_makes_a_difference_and_a_missing_one_is_the_same_however_it_is_missed(
    folder: Path,
) -> None:
    model = _load(folder)
    missing = FusionInput(TEXT, visuals={"grid": Missing("unavailable", "fetch failed")})
    posts = [FusionInput(TEXT), FusionInput(TEXT, visuals=_seen()), missing]
    alone, seen, missed = (tagging.confidence for tagging in model.tag(posts))
    assert max(abs(a - b) for a, b in zip(alone, seen, strict=True)) > 1e-3
    assert missed == pytest.approx(alone, abs=1e-6)


def test_with_no_modalities_pictures_are_not_looked_at(folder: Path) -> None:
    blind = _load(folder, modalities=[])
    assert blind.modalities == {}
    (told,) = blind.tag([FusionInput(TEXT, visuals=_seen())])
    (alone,) = _load(folder).tag([FusionInput(TEXT)])
    assert told.confidence == pytest.approx(alone.confidence, abs=1e-6)


def test_a_picture_of_another_extractor_is_refused(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"grid has vectors of 2048, the model was trained on 6: look with"
    ):
        _load(folder).tag([FusionInput(TEXT, visuals=_seen(width=2048))])


def test_weights_of_another_variant_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in folder.iterdir():
        text = path.read_bytes()
        if path.name == "config.json":
            text = text.replace(b'"visual_gate": true', b'"visual_gate": false')
        (other / path.name).write_bytes(text)
    with pytest.raises(
        PluginError, match=r"gate\.pictures\.weight has the shape \(32, 32\), expected none"
    ):
        _load(other)


def test_explanations_have_a_row_for_each_word(folder: Path) -> None:
    model = _load(folder)
    long = "harry potter at the stadium " * 12
    posts = [FusionInput(long, visuals=_seen(1)), FusionInput(TEXT), FusionInput("", visuals=_seen(2))]
    taggings = model.explain(posts)
    names = {"word-aware visual attention", "image-aware word attention", "visual gate"}
    for post, tagging, expected in zip(posts, taggings, (names, set(), names), strict=True):
        told = tagging.explanation
        assert told is not None
        assert [text for text, _, _ in told.tokens] == post.text.split()
        assert set(told.weights) == expected
        for name, weights in told.weights.items():
            assert len(weights.rows) == len(told.tokens)
            for row in weights.rows:
                if weights.over == "cells":
                    assert len(row) == 49, name
                    assert sum(row) == pytest.approx(1.0, abs=1e-4)
                else:
                    assert len(row) == 1
                    assert 0 < row[0] < 1
    assert all(tagging.explanation is None for tagging in model.tag(posts))


def test_bfloat16_is_close_to_float32(folder: Path) -> None:
    post = FusionInput(TEXT, visuals=_seen())
    (whole,), (short,) = (
        served.tag([post]) for served in (_load(folder), _load(folder, precision="bfloat16"))
    )
    assert short.confidence != whole.confidence
    assert short.confidence == pytest.approx(whole.confidence, abs=0.2)
