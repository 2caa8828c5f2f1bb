"""`streamproc analyse look`: the curve, the threshold that is chosen, and storing it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from plugins.mner.tests.seeing import SEEING, SeeingModel, line
from streamproc.errors import InputError, PluginError, SettingsError
from streamproc.fusion.api import Need
from streamproc.vision.visuals import Missing
from streamproc_mner.analysis.looking import measure_looks
from streamproc_mner.choices import store_choices
from streamproc_mner.cli.analyse import command
from streamproc_mner.data.convert import write_records
from streamproc_mner.data.made_posts import make_posts
from streamproc_mner.data.posts import read_posts
from streamproc_mner.evaluation.loading import load_model

# Looking mends the two most uncertain of ten posts and spoils none.
HELPED = [line(90, "PER", "LOC", "LOC"), line(79, "PER", "ORG", "ORG")]
SURE = [line(10 + index, "PER", "PER", "PER") for index in range(8)]


def _file(folder: Path, *lines: str, name: str = "posts.jsonl") -> str:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["look", *arguments])


def _told(*arguments: str) -> dict[str, Any]:
    result = _run(*arguments, "--json")
    assert result.exception is None, result.exception
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def _rows(told: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["posts"], row["look"]): row for row in told["rows"]}


def test_the_threshold_with_the_fewest_looks_that_keeps_the_gain_is_chosen(tmp_path: Path) -> None:
    told = _told(SEEING, "--data", _file(tmp_path, *SURE, *HELPED), "--tag-ms", "2", "--look-ms", "100")
    rows = _rows(told)
    never, always = rows["posts.jsonl", "never"], rows["posts.jsonl", "always"]
    assert (never["F1"], always["F1"]) == (pytest.approx(80), pytest.approx(100))
    # Between the least certain post that needs no look (0.17) and the surer of the others (0.79).
    chosen = rows["posts.jsonl", "uncertain(0.48)"]
    assert (chosen["looks"], chosen["looks %"], chosen["F1"]) == (2, 20.0, pytest.approx(100))
    assert chosen["oracle"] == pytest.approx(100)
    assert (never["ms a post"], always["ms a post"]) == (2, 102)
    assert chosen["ms a post"] == pytest.approx(2 + 0.2 * 102)  # the text first, and two posts again
    notes = " ".join(told["notes"])
    assert "uncertain(0.48) was chosen on posts.jsonl" in notes
    assert "Always against never there: +20.00 F1" in notes
    assert "looks at 2 of 10 pictures (20.0 %). Against never: +20.00 F1" in notes
    assert "keeps 100 % of the gain; the goal, 95 % with 30 % of the looks, is met" in notes
    assert "it has 95 % of the gain with 2 looks (20.0 %)" in notes


def test_looking_by_chance_gains_in_step_with_the_looks(tmp_path: Path) -> None:
    rows = _rows(_told(SEEING, "--data", _file(tmp_path, *SURE, *HELPED)))
    half = min(rows.values(), key=lambda row: abs(row["looks"] - 5))
    assert half["by chance"] == pytest.approx(90, abs=1)
    low, high = half["by chance 95 %"]
    assert (low, high) == (80, 100)


def test_a_threshold_is_reported_on_other_posts(tmp_path: Path) -> None:
    on = _file(tmp_path, *SURE, *HELPED, name="cut.jsonl")
    # Here what looking mends leaves no doubt: the threshold does not find it.
    report = _file(tmp_path, *SURE, line(30, "PER", "LOC", "LOC"), name="valid.jsonl")
    rows = _rows(told := _told(SEEING, "--data", on, "--report", report))
    assert rows["cut.jsonl", "uncertain(0.48)"]["looks"] == 2
    assert rows["valid.jsonl", "uncertain(0.48)"]["looks"] == 0
    assert rows["valid.jsonl", "always"]["F1"] == pytest.approx(100)
    notes = " ".join(told["notes"])
    assert "keeps 0 % of the gain" in notes
    assert "is missed" in notes


def test_alt_text_is_known_before_a_look(tmp_path: Path) -> None:
    told = _told(SEEING, "--data", _file(tmp_path, *SURE, *HELPED, line(95, "PER", "PER", "PER", "a man")))
    assert _rows(told)["posts.jsonl", "uncertain(0.48)"]["looks"] == 2


def test_posts_without_a_picture_count_and_are_never_looked_at(tmp_path: Path) -> None:
    blind = [line(99, "PER", "LOC", None)] * 10
    told = _told(SEEING, "--data", _file(tmp_path, *SURE, *HELPED, *blind), "--look-ms", "100")
    always = _rows(told)["posts.jsonl", "always"]
    assert (always["looks"], always["F1"], always["ms a post"]) == (10, pytest.approx(50), 54)


def test_a_gain_inside_the_noise_is_called_that(tmp_path: Path) -> None:
    mixed = [line(50, "PER", "LOC", "LOC"), line(50, "PER", "LOC", "LOC"), line(50, "PER", "PER", "LOC")]
    told = _told(SEEING, "--data", _file(tmp_path, *SURE, *mixed))
    assert any("the gain is inside the noise" in note for note in told["notes"])
    clear = _told(SEEING, "--data", _file(tmp_path, *SURE, *HELPED * 4, name="clear.jsonl"))
    assert not any("noise" in note for note in clear["notes"])
    # Also where the gain on other posts is beyond doubt, the one that the choice rests on may not be.
    files = _file(tmp_path, *SURE, *mixed), str(tmp_path / "clear.jsonl")
    reported = _told(SEEING, "--data", files[0], "--report", files[1])
    assert [note for note in reported["notes"] if "noise" in note] == [reported["notes"][0]]


def test_where_looking_gains_nothing_there_is_no_threshold(tmp_path: Path) -> None:
    file = _file(tmp_path, *SURE, line(50, "PER", "PER", "LOC"))
    told = _told(SEEING, "--data", file)
    assert any("look = never is the cheapest" in note for note in told["notes"])
    given = _told(SEEING, "--data", file, "--threshold", "0.3")
    assert _rows(given)["posts.jsonl", "uncertain(0.3)"]["looks"] == 1
    assert any("was given, not chosen" in note for note in given["notes"])


def test_table_plot_and_page_are_written(tmp_path: Path) -> None:
    plot, page = tmp_path / "look.png", tmp_path / "look.html"
    file = _file(tmp_path, *SURE, *HELPED)
    result = _run(SEEING, "--data", file, "--plot", str(plot), "--html", str(page))
    assert result.exception is None
    assert "uncertain(0.48)" in result.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "uncertain(0.48)" in page.read_text()


def test_a_budget_chooses_whatever_looking_gains(tmp_path: Path) -> None:
    file = _file(tmp_path, *SURE, line(50, "PER", "PER", "LOC"))
    told = _told(SEEING, "--data", file, "--budget", "0.34")
    # Three of nine: the threshold lies between the third and the fourth of 0.5, 0.17, 0.16, 0.15.
    assert _rows(told)["posts.jsonl", "uncertain(0.155)"]["looks"] == 3
    assert any("what is affordable" in note for note in told["notes"])
    both = _run(SEEING, "--data", file, "--budget", "0.3", "--threshold", "0.5")
    assert isinstance(both.exception, SystemExit)
    assert "name one of them" in both.output


@pytest.mark.parametrize(
    ("modalities", "complaint"),
    [
        ('{alt = "optional"}', "reads nothing of pictures"),
        ('{captions = "required"}', "needs captions"),
        ('{ocr = "optional"}', "no post has ocr"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, modalities: str, complaint: str) -> None:
    result = _run(SEEING, "--data", _file(tmp_path, *SURE), "--set", f"modalities={modalities}")
    assert isinstance(result.exception, InputError)
    assert complaint in str(result.exception)


def test_a_stored_threshold_is_the_loaded_models_own(tmp_path: Path) -> None:
    package = pytest.importorskip("streamproc_mner_tweets_sm", reason="needs a saved model")
    folder = tmp_path / "model"
    folder.mkdir()
    for path in package.MODEL.folder.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "config.json").unlink()
    (folder / "config.json").write_bytes((package.MODEL.folder / "config.json").read_bytes())
    data = tmp_path / "made.jsonl"
    write_records(data, make_posts("mixed", 40, seed=2))
    result = _run(str(folder), "--data", str(data), "--budget", "0.3", "--store", "--json")
    assert result.exception is None, result.exception
    (chosen,) = (row for row in json.loads(result.stdout)["rows"] if row["looks"] == 12)
    threshold = load_model(str(folder)).model.look_threshold
    assert chosen["look"] == f"uncertain({threshold:g})"
    assert f"look_threshold = {threshold:g}" in result.stderr


def test_nothing_is_stored_into_what_is_no_folder(tmp_path: Path) -> None:
    result = _run(SEEING, "--data", _file(tmp_path, *SURE, *HELPED), "--store")
    assert isinstance(result.exception, SettingsError)
    assert "--store writes into a saved model's folder" in str(result.exception)


def test_a_picture_that_failed_is_a_look_that_brings_nothing(tmp_path: Path) -> None:
    (post,) = read_posts(Path(_file(tmp_path, line(70, "PER", "LOC", "LOC"))))
    failed = replace(post, visuals={"captions": Missing("unavailable", "fetch failed")})
    looks = measure_looks(SeeingModel({"captions": Need.OPTIONAL}), [post, failed])
    assert looks.pictured.tolist() == [0, 1]
    assert looks.uncertainty.tolist() == [0.7, 0.7]
    assert looks.after.tolist() == [[1, 1, 1], [1, 1, 0]]


CONFIG = {
    "format": 1,
    "name": "tiny",
    "network": "bert-crf",
    "weights": {"file": "model.safetensors", "bytes": 1, "sha256": "0" * 64},
}


def test_choices_are_written_into_a_saved_models_config_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    store_choices(tmp_path, look_threshold=0.25)
    assert json.loads(path.read_text()) == CONFIG | {"look_threshold": 0.25}
    store_choices(tmp_path, temperature=1.7)
    assert json.loads(path.read_text()) == CONFIG | {"look_threshold": 0.25, "temperature": 1.7}
    assert [found.name for found in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "config.json: No such file"),
        ("{", "not of a saved model"),
        ("[]", "not of a saved model"),
        ('{"name": "x"}', "not of a saved model: network"),
    ],
)
def test_what_is_no_saved_model_is_left_as_it_is(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PluginError, match=complaint):
        store_choices(tmp_path, look_threshold=0.5)
    assert (path.read_text() if path.exists() else None) == content


def test_a_choice_that_no_model_can_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    with pytest.raises(PluginError, match="look_threshold"):
        store_choices(tmp_path, look_threshold=1.5)
    assert json.loads(path.read_text()) == CONFIG
