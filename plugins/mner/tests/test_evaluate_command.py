"""`streamproc evaluate` over files of our own, with plugins whose entities are known beforehand."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from plugins import commands
from plugins.mner.tests.labelled_posts import write_posts

run = partial(commands.run, "evaluate")
refused = partial(commands.refused, "evaluate")
measured = partial(commands.told, "evaluate")

LEXICON = "plugins.mner.tests.lexicon:Lexicon"
TEXT = "plugins.mner.tests.lexicon:TextLexicon"
NEEDY = "plugins.mner.tests.lexicon:NeedyLexicon"
POSTS = (
    "Ada/B-PER Lovelace/I-PER in Paris/B-LOC",
    "Georgia/B-PER sings",
    "nothing here",
    "NASA/B-ORG and ESA/B-ORG",
)
NAMES = 'names={"Ada Lovelace" = "PER", Paris = "LOC", NASA = "LOC", her = "MISC"}'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four posts; the picture of the second one has a caption."""
    return write_posts(tmp_path / "posts.jsonl", *POSTS, captions={1: ["a woman on a stage"]})


def test_both_views_are_measured_and_told_apart(data: Path) -> None:
    found = measured(LEXICON, "--data", data, "--set", NAMES, "--set", 'pictured={Georgia = "PER"}')
    assert (found["posts"], found["words"], found["seen"]) == (4, 11, {"captions": 1})
    text, both = found["views"]["text"], found["views"]["image+text"]
    # Right: Ada Lovelace, Paris. Wrong: NASA (type), "her" (cuts a word). Missed: Georgia, ESA.
    assert text["overall"] == {"precision": 50.0, "recall": 40.0, "f1": 44.44, "gold": 5}
    assert text["segmentation"] == {"precision": 75.0, "recall": 60.0, "f1": 66.67, "gold": 5}
    assert text["strays"] == 1
    assert text["by_type"]["PER"] == {"precision": 100.0, "recall": 50.0, "f1": 66.67, "gold": 2}
    assert text["by_type"]["MISC"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "gold": 0}
    assert both["overall"] == {"precision": 60.0, "recall": 60.0, "f1": 60.0, "gold": 5}
    assert found["difference"]["f1"] == pytest.approx(60 - 100 * 4 / 9, abs=0.01)
    low, high = found["difference"]["interval"]
    assert low <= found["difference"]["f1"] <= high


def test_words_and_calibration_are_worked_out_by_hand(data: Path) -> None:
    text = measured(TEXT, "--data", data, "--set", NAMES)["views"]["text"]
    # Wrong words: Georgia, "here" (touched by a stray), NASA, ESA; 7 of 11 are right.
    assert text["token_accuracy"] == pytest.approx(100 * 7 / 11, abs=0.01)
    assert text["calibration"]["entities"] == {
        "error": 0.4,  # 2 of 4 are right, each said with 0.9
        "count": 4,
        "bins": [{"above": 0.8, "to": 0.9, "count": 4, "confidence": 0.9, "accuracy": 0.5}],
    }
    assert text["calibration"]["tokens"]["error"] == pytest.approx(0.75 - 7 / 11, abs=1e-4)
    assert text["speed"]["posts_per_second"] > 0


def test_what_touches_an_unlabelled_mention_is_judged_nowhere(tmp_path: Path) -> None:
    data = write_posts(tmp_path / "posts.jsonl", "@nasa in Paris/B-LOC", "@nasa again")
    text = measured(TEXT, "--data", data, "--set", 'names={nasa = "ORG", Paris = "LOC"}')["views"]["text"]
    assert text["overall"] == {"precision": 100.0, "recall": 100.0, "f1": 100.0, "gold": 1}
    assert text["calibration"]["entities"]["count"] == 1
    assert (text["token_accuracy"], text["mentions"]) == (100.0, None)


def test_a_model_that_reads_no_pictures_has_one_view(data: Path) -> None:
    found = measured(TEXT, "--data", data, "--set", NAMES)
    assert list(found["views"]) == ["text"]
    assert found["difference"] is None


@pytest.mark.parametrize("view", ["text", "image+text"])
def test_one_view_can_be_asked_for(data: Path, view: str) -> None:
    assert list(measured(LEXICON, "--data", data, "--view", view)["views"]) == [view]


def test_a_view_that_is_not_there_is_refused_with_the_reason(data: Path, tmp_path: Path) -> None:
    code, line = refused(TEXT, "--data", data, "--view", "image+text")
    assert code == 2
    assert "it reads nothing, and the data have captions" in line
    code, line = refused(
        LEXICON, "--data", write_posts(tmp_path / "bare.jsonl", *POSTS), "--view", "image+text"
    )
    assert code == 2
    assert "it reads captions, and the data have nothing; --pictures" in line
    code, line = refused(NEEDY, "--data", data, "--view", "text")
    assert code == 2
    assert "has no text view" in line


def test_posts_that_lack_what_the_model_needs_are_counted_and_their_entities_missed(data: Path) -> None:
    result = run(NEEDY, "--data", data, "--set", 'names={Georgia = "PER", Paris = "LOC"}', "--json")
    found = json.loads(result.stdout)["views"]
    assert list(found) == ["image+text"]
    assert found["image+text"]["untagged_posts"] == 3
    assert found["image+text"]["overall"] == {"precision": 100.0, "recall": 20.0, "f1": 33.33, "gold": 5}
    assert "3 of 4 posts lack it" in result.stderr


def test_what_was_extracted_from_pictures_is_seen(tmp_path: Path) -> None:
    data = write_posts(tmp_path / "posts.jsonl", *POSTS)
    seen = tmp_path / "seen"
    seen.mkdir()
    value = {"texts": ["a woman on a stage"], "scores": [-1.0]}
    line = {"picture": "p1.jpg", "captions": {"version": "1", "value": value}}
    (seen / "pictures.jsonl").write_text(json.dumps(line) + "\n")
    pictured = 'pictured={Georgia = "PER"}'
    found = measured(LEXICON, "--data", data, "--pictures", seen, "--set", pictured)
    assert found["seen"] == {"captions": 1}
    assert found["views"]["image+text"]["by_type"]["PER"]["recall"] == 50.0


def test_types_that_do_not_fit_are_named_on_stderr(data: Path, tmp_path: Path) -> None:
    given = run(TEXT, "--data", data, "--set", NAMES)
    assert "gives MISC (1), which the data do not have" in given.stderr
    strange = write_posts(tmp_path / "strange.jsonl", "the Titanic/B-SHIP sank", "Ada/B-PER in Paris/B-LOC")
    unknown = run("mner-tweets-sm", "--data", strange)
    assert unknown.exit_code == 0
    assert "mner-tweets-sm does not know SHIP (1): it knows LOC, MISC, ORG, PER" in unknown.stderr
    assert "research" in unknown.stderr


def test_data_without_gold_are_refused(tmp_path: Path) -> None:
    code, line = refused(TEXT, "--data", write_posts(tmp_path / "bare.jsonl", "no entity", "anywhere"))
    assert code == 2
    assert "bare.jsonl: no gold entity in it" in line
    untagged = tmp_path / "untagged.jsonl"
    untagged.write_text('{"id": "1", "tokens": ["Ada"]}\n')
    code, line = refused(TEXT, "--data", untagged)
    assert code == 2
    assert re.search(r"untagged\.jsonl:1:.*tags", line)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "'nonsense' is no folder of a saved model"),
        ((TEXT, "--set", "score"), "--set score: expected KEY=VALUE"),
        ((TEXT, "--set", "score=high"), "score: Input should be a valid number"),
        ((TEXT, "--set", "names={"), "is not a TOML list or table"),
        ((TEXT, "--html", "/nowhere/report.html"), "cannot write /nowhere/report.html"),
    ],
)
def test_bad_usage_is_told_in_a_line(data: Path, arguments: tuple[str, ...], said: str) -> None:
    code, line = refused(*arguments, "--data", data)
    assert code == 2
    assert said in line


def test_people_get_tables(data: Path) -> None:
    result = run(LEXICON, "--data", data, "--set", NAMES)
    assert result.exit_code == 0
    rows = {line.split("  ")[0]: line.split() for line in result.stdout.splitlines()}
    assert rows["overall"][1:] == ["5", "50.00", "40.00", "44.44", "50.00", "40.00", "44.44"]
    assert "4 posts, 11 words, 5 entities; of pictures: captions of 1" in result.stdout
    assert "image+text - text: +0.00 F1" in result.stdout
    assert "inside the noise" in result.stdout


def test_the_same_seed_gives_the_same_interval(tmp_path: Path) -> None:
    data = write_posts(tmp_path / "many.jsonl", *(POSTS * 20))
    first, again, other = (
        measured(TEXT, "--data", data, "--set", NAMES, "--resamples", "111", "--seed", seed)
        for seed in ("1", "1", "2")
    )
    intervals = [found["views"]["text"]["f1_interval"] for found in (first, again, other)]
    assert intervals[0] == intervals[1] != intervals[2]
