"""`streamproc recipes run`: recipes x seeds, resumed, as the papers' table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

from click.testing import CliRunner, Result

from plugins.mner.tests.made_data import write_data_set
from streamproc.errors import SettingsError
from streamproc_mner.cli.recipes import command
from streamproc_mner.recipes import running
from streamproc_mner.recipes.recipe import find_recipe

SMALL = (
    "network.word_width=8", "network.hidden=8", "training.epochs=1", "training.held_out=0.25",
)  # fmt: skip


def run(out: Path, data: Path, *names: str, seeds: str = "1") -> Result:
    changes = [part for change in SMALL for part in ("--set", change)]
    given = ["run", *names, "--data", str(data), "--out", str(out), "--seeds", seeds, "--json", *changes]
    return CliRunner().invoke(command, given, catch_exceptions=False)


def test_runs_are_trained_once_and_a_failed_one_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_data_set(tmp_path / "made")
    first = run(tmp_path / "out", data, "yu2020/bilstm-crf", "moon2018/wcv")
    assert first.exit_code == 1
    trained, failed = json.loads(first.stdout)
    assert trained["recipe"] == "yu2020/bilstm-crf"
    assert set(trained["scores"]) == {"made/valid/text"}
    assert (trained["seeds"], trained["faults"]) == (1, [])
    assert failed["seeds"] == 0
    (fault,) = failed["faults"]
    assert fault.startswith("moon2018/wcv reads global, and no post to train on has any")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was trained before"))
    again = run(tmp_path / "out", data, "yu2020/bilstm-crf")
    assert json.loads(again.stdout) == [trained]


def test_a_run_that_was_trained_but_not_noted_is_told_of_without_training_it_again(tmp_path: Path) -> None:
    data, out = write_data_set(tmp_path / "made"), tmp_path / "out"
    first = run(out, data, "yu2020/bilstm-crf")
    folder = out / "yu2020-bilstm-crf" / "seed-1"
    trained = (folder / "log.jsonl").read_bytes()
    (folder / running.RESULT).unlink()
    again = run(out, data, "yu2020/bilstm-crf")
    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert (folder / "log.jsonl").read_bytes() == trained


def test_each_recipe_has_its_first_seed_before_any_has_its_second(tmp_path: Path) -> None:
    recipes = [find_recipe("yu2020/bilstm-crf"), find_recipe("wang2022/bert-crf")]
    planned = running.plan(recipes, [1, 2], tmp_path, ["--repair"])
    assert [(one.recipe, one.seed) for one in planned] == [
        ("yu2020/bilstm-crf", 1), ("wang2022/bert-crf", 1),
        ("yu2020/bilstm-crf", 2), ("wang2022/bert-crf", 2),
    ]  # fmt: skip
    assert len({one.out for one in planned}) == 4
    assert all(one.arguments[-1] == "--repair" for one in planned)


def test_a_row_is_the_mean_and_the_sample_deviation_of_its_seeds() -> None:
    results = [
        running.Result("a", 1, {"x/valid/text": 80.0}),
        running.Result("a", 2, {"x/valid/text": 84.0}),
        running.Result("a", 3, {}, "it broke"),
        running.Result("b", 1, {"x/valid/text": 70.0}),
    ]
    one, two = running.rows(results)
    assert one.scores == {"x/valid/text": (82.0, pytest.approx(8**0.5))}
    assert (one.seeds, one.faults) == (2, ("it broke",))
    assert two.scores == {"x/valid/text": (70.0, 0.0)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--paper", "smith1999"], "expected one of moon2018"),
        ([], "name recipes, or a paper"),
        (["wang2022/bert-crf", "--seeds", "one"], "expected different whole numbers"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, given: list[str], said: str) -> None:
    arguments: list[Any] = ["run", *given, "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
