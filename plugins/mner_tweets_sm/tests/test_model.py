"""The default model as it is installed: found, served without torch, within its size, sensible."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points, metadata

import pytest

from streamproc.fusion.api import FusionInput, FusionModel
from streamproc.fusion.discovery import find_model, load_plugin
from streamproc.settings import PluginSettings
from streamproc.testing.contract import CHECKS
from streamproc_mner.saved_model import read_model


@pytest.fixture(scope="module")
def model() -> FusionModel:
    return load_plugin("mner-tweets-sm").model


def _tagged(model: FusionModel, text: str) -> list[tuple[str, str]]:
    (tagging,) = model.tag([FusionInput(text)])
    return [(entity.text, entity.type) for entity in tagging.entities]


def test_is_found_by_its_name_and_says_for_what_it_may_be_used() -> None:
    assert "mner-tweets-sm" in {entry.name for entry in entry_points(group="streamproc.models")}
    package = find_model("mner-tweets-sm")
    assert package.plugin == "mner-onnx"
    assert "research" in package.notice


def test_the_package_carries_its_licence_and_notice() -> None:
    files = metadata("streamproc-mner-tweets-sm").get_all("License-File")
    assert sorted(files or []) == ["LICENSE", "NOTICE"]


def test_the_weights_are_a_file_of_at_most_48_mb_and_a_smaller_quick_one() -> None:
    saved = read_model(find_model("mner-tweets-sm").folder, "model.onnx")
    assert saved.weights.stat().st_size <= 48_000_000
    assert saved.quick is not None
    assert saved.quick.stat().st_size <= 24_000_000


def test_no_file_says_anything_of_the_machine_that_made_it() -> None:
    for file in find_model("mner-tweets-sm").folder.iterdir():
        content = file.read_bytes()
        assert b"site-packages" not in content, file.name


def test_it_knows_when_a_look_is_worth_it(model: FusionModel) -> None:
    assert model.look_threshold == 0.47


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_both_files_are_served_and_find_what_nobody_doubts(precision: str) -> None:
    served = load_plugin(
        "mner-tweets-sm", PluginSettings(model="mner-tweets-sm", config={"precision": precision})
    ).model
    assert _tagged(served, "Angela Merkel's visit to Paris") == [("Angela Merkel", "PER"), ("Paris", "LOC")]


def test_is_served_without_torch() -> None:
    script = (
        "import sys; from streamproc.fusion.api import FusionInput\n"
        "from streamproc.fusion.discovery import load_plugin\n"
        "load_plugin('mner-tweets-sm').model.tag([FusionInput('Angela Merkel in Paris')])\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'onnx')))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=120).returncode == 0


def test_finds_what_nobody_doubts(model: FusionModel) -> None:
    assert _tagged(model, "Angela Merkel's visit to Paris") == [("Angela Merkel", "PER"), ("Paris", "LOC")]
    assert _tagged(model, "i'm so tired today") == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_keeps_the_contract_of_every_plugin(
    model: FusionModel, check: Callable[[FusionModel], None]
) -> None:
    check(model)


def test_handles_are_left_to_the_posts_own_mentions(model: FusionModel) -> None:
    assert ("warriors", "ORG") not in _tagged(model, "thanks @warriors from Berlin")
