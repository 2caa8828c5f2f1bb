"""`streamproc compare` over files of our own, with plugins whose entities are known beforehand."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import pytest
from scipy import stats

from plugins import commands
from plugins.mner.tests.labelled_posts import write_posts

run = partial(commands.run, "compare")
refused = partial(commands.refused, "compare")
compared = partial(commands.told, "compare")

LEXICON, TEXT, PARIS, BOTH, ADA = (
    f"plugins.mner.tests.lexicon:{name}"
    for name in ("Lexicon", "TextLexicon", "Paris", "ParisAndAda", "AdaAndNasa")
)
POSTS = (
    "Ada/B-PER in Paris/B-LOC",
    "Ada/B-PER again",
    "NASA/B-ORG and Ada/B-PER",
    "to Paris/B-LOC by train",
    "nothing",
    "Ada Lovelace/B-PER",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_posts(tmp_path / "posts.jsonl", *POSTS, captions={4: ["a caption"]})


def test_models_stand_side_by_side_and_against_the_first(data: Path) -> None:
    found = compared(f"paris={PARIS}", f"both={BOTH}", f"ada={ADA}", "--data", data)
    assert (found["base"], list(found["models"])) == ("paris", ["paris", "both", "ada"])
    # Gold: 3 Ada, 2 Paris, 1 NASA, 1 Lovelace. Ada in the last post is found and is no entity.
    assert found["models"]["paris"]["f1"] == pytest.approx(100 * 2 * 2 / (7 + 2), abs=0.01)
    assert found["models"]["both"]["f1"] == pytest.approx(100 * 2 * 5 / (7 + 6), abs=0.01)
    assert found["models"]["ada"]["f1_by_type"] == {"LOC": 0.0, "ORG": 0.0, "PER": 75.0}
    assert found["models"]["ada"]["f1_segmentation"] == pytest.approx(100 * 2 * 4 / (7 + 5), abs=0.01)
    assert list(found["against_base"]) == ["both", "ada"]
    both, ada = found["against_base"]["both"], found["against_base"]["ada"]
    assert (both["fixed"], both["broken"]) == (3, 0)
    assert (ada["fixed"], ada["broken"]) == (3, 2)
    assert both["p_mcnemar"] == stats.binomtest(0, 3).pvalue
    assert both["p_t_test"] is None
    expected = found["models"]["both"]["f1"] - found["models"]["paris"]["f1"]
    assert both["difference"]["f1"] == pytest.approx(expected, abs=0.02)


def test_another_base_turns_the_difference_round(data: Path) -> None:
    models = (f"paris={PARIS}", f"both={BOTH}")
    there = compared(*models, "--data", data)["against_base"]["both"]
    back = compared(*models, "--data", data, "--base", "both")["against_base"]["paris"]
    assert back["difference"]["f1"] == -there["difference"]["f1"]
    assert back["difference"]["interval"] == [-bound for bound in reversed(there["difference"]["interval"])]
    assert (back["fixed"], back["broken"]) == (there["broken"], there["fixed"])


def test_a_model_does_not_differ_from_itself(data: Path) -> None:
    (found,) = compared(BOTH, f"again={BOTH}", "--data", data)["against_base"].values()
    assert found["difference"] == {"f1": 0.0, "interval": [0.0, 0.0], "p": 1.0}
    assert (found["fixed"], found["broken"], found["p_mcnemar"]) == (0, 0, 1.0)


def test_groups_of_seeds_have_mean_deviation_and_a_paired_t_test(data: Path) -> None:
    found = compared(f"first={PARIS},{TEXT},{ADA}", f"second={BOTH},{PARIS},{BOTH}", "--data", data)
    first, second = found["models"]["first"], found["models"]["second"]
    singles = [
        compared(one, f"x={TEXT}", "--data", data)["models"][one]["f1"] for one in (PARIS, ADA, BOTH)
    ]
    assert first["f1_of_seeds"] == [singles[0], 0.0, singles[1]]
    assert first["f1"] == pytest.approx(sum(first["f1_of_seeds"]) / 3, abs=0.01)
    mean = sum(second["f1_of_seeds"]) / 3
    deviation = (sum((one - mean) ** 2 for one in second["f1_of_seeds"]) / 2) ** 0.5
    assert second["f1_deviation"] == pytest.approx(deviation, abs=0.01)
    expected = stats.ttest_rel(second["f1_of_seeds"], first["f1_of_seeds"]).pvalue
    against = found["against_base"]["second"]
    assert against["p_t_test"] == pytest.approx(expected, abs=1e-3)
    # Most of the first group find nothing; most of the second one find 3 Ada and 2 Paris.
    assert (against["fixed"], against["broken"]) == (5, 0)


def test_groups_of_different_size_have_no_paired_t_test(data: Path) -> None:
    found = compared(f"first={PARIS},{ADA}", f"second={BOTH}", "--data", data)
    assert found["against_base"]["second"]["p_t_test"] is None
    assert found["models"]["second"]["f1_deviation"] is None


def test_entities_that_were_fixed_and_broken_are_shown_with_what_each_model_said(data: Path) -> None:
    found = compared(f"both={BOTH}", f"ada={ADA}", "--data", data, "--show", "1")
    (shown,) = found["against_base"]["ada"]["examples"]
    assert shown == {
        "kind": "broken",
        "post": "p0",
        "text": "Ada in Paris",
        "entity": "Paris",
        "type": "LOC",
        "base": [["Paris", "LOC"]],
        "other": [],
    }
    printed = run(f"paris={PARIS}", f"ada={ADA}", "--data", data, "--show", "2").stdout
    assert re.findall(r"^(fixed|broken): (.*) in post (\w+)", printed, re.MULTILINE) == [
        ("fixed", "Ada [PER]", "p0"),
        ("fixed", "Ada [PER]", "p1"),
        ("broken", "Paris [LOC]", "p0"),
        ("broken", "Paris [LOC]", "p3"),
    ]
    assert "  paris: no entity\n  ada: Ada [PER]" in printed


def test_each_model_has_its_richest_view_unless_one_is_asked_for(data: Path) -> None:
    models = (f"plain={TEXT}", f"reading={LEXICON}")
    richest = compared(*models, "--data", data)["models"]
    text = compared(*models, "--data", data, "--view", "text")["models"]
    assert [one["view"] for one in richest.values()] == ["text", "image+text"]
    assert [one["view"] for one in text.values()] == ["text", "text"]
    code, line = refused(*models, "--data", data, "--view", "image+text")
    assert code == 2
    assert "plain" not in line
    assert "has no image+text view" in line


def test_a_group_whose_models_have_different_views_is_refused(data: Path) -> None:
    code, line = refused(f"mixed={TEXT},{LEXICON}", f"x={TEXT}", "--data", data)
    assert code == 2
    assert "mixed: its models have different views" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((PARIS,), "give two models or more"),
        ((PARIS, PARIS), "is given twice"),
        ((PARIS, "group="), "group=: expected NAME=MODEL,MODEL"),
        ((PARIS, f"={BOTH}"), "expected NAME=MODEL,MODEL"),
        ((PARIS, BOTH, "--base", "third"), "--base third: expected one of"),
        ((PARIS, "nonsense"), "'nonsense' is no folder of a saved model"),
    ],
)
def test_bad_usage_is_told_in_a_line(data: Path, arguments: tuple[str, ...], said: str) -> None:
    code, line = refused(*arguments, "--data", data)
    assert code == 2
    assert said in line


def test_without_scipy_only_single_models_are_compared(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc_mner.evaluation.comparing.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    assert compared(PARIS, BOTH, "--data", data)["against_base"][BOTH]["p_t_test"] is None
    code, line = refused(PARIS, f"group={BOTH},{ADA}", "--data", data)
    assert code == 2
    assert "groups of seeds need scipy: pip install" in line


def test_people_get_tables(data: Path) -> None:
    printed = run(f"paris={PARIS}", f"both={BOTH},{BOTH}", "--data", data).stdout
    rows = [line.split() for line in printed.splitlines()]
    assert ["paris", "text", "100.00", "28.57", "44.44"] in [row[:5] for row in rows]
    assert ["model", "view", "P", "R", "F1", "95", "%", "interval", "seeds", "s.d."] in rows
    assert next(row for row in rows if row[:1] == ["both"] and row[1].startswith("+"))[-1] == "-"
