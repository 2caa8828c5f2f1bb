"""F1 over the number of training posts, with real trainings of a tiny recipe."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

from click.testing import CliRunner

from plugins.mner.tests.analysis_models import random_posts, write_posts
from streamproc.errors import SettingsError, StreamprocError
from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.size import MOST_SHARES, by_size, shares_of
from streamproc_mner.analysis.training_runs import Curve
from streamproc_mner.cli.train import command as train_command
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.evaluation.loading import load_model
from streamproc_mner.evaluation.predictions import predict_posts
from streamproc_mner.evaluation.significance import bootstrap_interval
from streamproc_mner.evaluation.spans import evaluate_spans
from streamproc_mner.recipes.train_process import train_in_a_process

OPTIONS = tuple(
    part
    for change in ("training.epochs=2", "training.batch=4", "network.word_width=8", "network.hidden=8")
    for part in ("--set", change)
)
RECIPES = ("moon2018/w", "moon2018/wc-cnn")
SHARES = (0.5, 1.0)
SEEDS = (1, 2)


def _train(arguments: Sequence[str]) -> Mapping[str, Any]:
    """The real command, in this process: a new one would import torch again."""
    result = CliRunner().invoke(train_command, [*arguments, "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def _curve(data: Path, out: Path, **changes: object) -> Curve:
    given = {
        "recipes": RECIPES, "data": (data,), "out": out, "shares": SHARES, "seeds": SEEDS,
        "options": OPTIONS, "report": LabelledFile(data / "valid.jsonl"), "device": "cpu", **changes,
    }  # fmt: skip
    return Curve(**given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_posts(folder / "train.jsonl", random_posts(40, seed=8, most=6))
    write_posts(folder / "dev.jsonl", random_posts(6, seed=9, most=6))
    write_posts(folder / "valid.jsonl", random_posts(12, seed=10, most=6))
    return folder


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All runs, finished."""
    out = tmp_path_factory.mktemp("out")
    by_size(_curve(data, out), None, Draws(100, 0), _train, lambda _: None)
    return out


def _fails(arguments: Sequence[str]) -> NoReturn:
    pytest.fail(f"trained: {arguments}")


def _again(data: Path, out: Path, **changes: object) -> Findings:
    return by_size(_curve(data, out, **changes), None, Draws(100, 0), _fails, lambda _: None)


def test_each_row_is_the_mean_of_its_seeds_models(data: Path, out: Path) -> None:
    findings = _again(data, out)
    assert [row[:4] for row in findings.rows] == [
        (20, 50.0, "moon2018/w", "T"),
        (20, 50.0, "moon2018/wc-cnn", "T"),
        (40, 100.0, "moon2018/w", "T"),
        (40, 100.0, "moon2018/wc-cnn", "T"),
    ]
    posts = LabelledFile(data / "valid.jsonl").posts()
    means: list[float] = []
    for row in findings.rows:
        told = dict(zip(findings.columns, row, strict=True))
        counts, each = [], []
        for seed in SEEDS:
            folder = out / str(row[2]).replace("/", "-") / f"share-{row[1] / 100:g}" / f"seed-{seed}"  # type: ignore[operator]
            said = predict_posts(load_model(str(folder / "model")).model, posts, "text")
            spans = [[scored.span for scored in post.spans] for post in said]
            each.append(100 * evaluate_spans(posts, spans).overall.f1)
            counts.append(
                [
                    (len(p.spans), len(s), len(set(p.spans) & set(s)))
                    for p, s in zip(posts, spans, strict=True)
                ]
            )
        assert told["F1"] == pytest.approx(np.mean(each))
        assert told["s.d."] == pytest.approx(np.std(each, ddof=1))
        interval = bootstrap_interval(np.array(counts), 100, 0)
        assert told["F1 95 %"] == pytest.approx((100 * interval.low, 100 * interval.high))
        means.append(float(np.mean(each)))
    differences = [row[findings.columns.index("difference")] for row in findings.rows]
    assert differences[0] is differences[2] is None
    assert differences[1] == pytest.approx(means[1] - means[0])
    assert differences[3] == pytest.approx(means[3] - means[2])


def test_what_is_finished_is_not_trained_again_and_what_is_missing_is(
    data: Path, out: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(out, tmp_path / "out")
    lost = copy / "moon2018-w" / "share-0.5" / "seed-2"
    shutil.rmtree(lost)
    trained: list[Sequence[str]] = []

    def train(arguments: Sequence[str]) -> Mapping[str, Any]:
        trained.append(arguments)
        return _train(arguments)

    findings = by_size(_curve(data, copy), None, Draws(100, 0), train, lambda _: None)
    assert [arguments[arguments.index("--out") + 1] for arguments in trained] == [str(lost)]
    assert [row[4] for row in findings.rows] == [row[4] for row in _again(data, out).rows]


def test_other_settings_are_not_taken_for_what_is_kept(data: Path, out: Path) -> None:
    curve = _curve(data, out, options=(*OPTIONS, "--set", "training.clip=3.0"))
    with pytest.raises(StreamprocError, match="name another --out"):
        by_size(curve, None, Draws(100, 0), _train, lambda _: None)


def test_a_result_that_was_damaged_is_made_again(data: Path, out: Path) -> None:
    path = out / "moon2018-w" / "share-1" / "seed-1" / "size.json"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    by_size(_curve(data, out), None, Draws(100, 0), _train, lambda _: None)
    assert json.loads(path.read_text()) == json.loads(whole)


def test_other_posts_to_report_on_are_measured(data: Path, out: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(out, tmp_path / "out")
    report = LabelledFile(write_posts(tmp_path / "other.jsonl", random_posts(12, seed=11, most=6)))
    other = by_size(_curve(data, copy, report=report), None, Draws(100, 0), _train, lambda _: None)
    assert [row[4] for row in other.rows] != [row[4] for row in _again(data, out).rows]
    assert "other.jsonl" in other.notes[0]


def test_a_view_that_no_model_has_is_refused(data: Path, out: Path) -> None:
    with pytest.raises(SettingsError, match=r"--view image\+text: no model"):
        by_size(_curve(data, out), "image+text", Draws(100, 0), _fails, lambda _: None)


def test_one_seed_has_no_standard_deviation(data: Path, out: Path) -> None:
    findings = _again(data, out, seeds=(2,))
    assert [row[findings.columns.index("s.d.")] for row in findings.rows] == [None] * 4


def test_a_training_that_fails_ends_the_analysis(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    curve = _curve(data, tmp_path / "out", recipes=("no/such",))
    with pytest.raises(StreamprocError, match="streamproc train no/such ended with 2, see above"):
        by_size(curve, None, Draws(100, 0), train_in_a_process, lambda _: None)
    assert "no recipe named 'no/such'" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["", "a", "0,1", "1,0.5", "0.5,0.5", "0.5,1.5", "nan"])
def test_shares_that_do_not_rise_to_one_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected rising shares"):
        shares_of(text)
    assert shares_of("0.25, 1") == (0.25, 1.0)


def test_so_many_shares_are_a_slip() -> None:
    text = ",".join(f"{share / 1000:g}" for share in range(1, MOST_SHARES + 2))
    with pytest.raises(SettingsError, match="--shares: 101 of them, expected at most 100"):
        shares_of(text)
    assert len(shares_of(text.rpartition(",")[0])) == MOST_SHARES
