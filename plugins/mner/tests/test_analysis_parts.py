"""Analyses of parts of the data, against counts in plain loops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from plugins.mner.tests.analysis_models import (
    BlindLexiconModel,
    gold,
    guessed,
    lexicon,
    random_posts,
    scores,
    write_posts,
)
from streamproc.entities import Entity
from streamproc.errors import InputError, SettingsError
from streamproc.fusion.api import FusionInput, FusionModel, Seen, Tagging
from streamproc.vision.visuals import Captions
from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.groups import Group, groups_named
from streamproc_mner.analysis.length import borders_of, by_length
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.systems import (
    System,
    Tagged,
    counts_of_models,
    systems_of,
    tag,
    tag_all,
)
from streamproc_mner.analysis.training_entities import TrainingEntities, by_ambiguity, by_seen
from streamproc_mner.analysis.types import by_type
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.evaluation.loading import LoadedModel
from streamproc_mner.evaluation.significance import bootstrap_interval, paired_bootstrap

DRAWS = Draws(resamples=200, seed=3)
POSTS = random_posts(60, seed=1)

Part = Callable[[Mapping[str, Any], int, str], str]
"""The part of a post's entity, at a place and of a type."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LabelledFile:
    return LabelledFile(write_posts(tmp_path_factory.mktemp("data") / "posts.jsonl", POSTS))


@pytest.fixture(scope="module")
def tagged(data: LabelledFile) -> list[Tagged]:
    return tag_all(systems_of([lexicon()], data, None), data, lambda _: lambda _: None)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> LabelledFile:
    posts = [
        {"tokens": ["jordan", "Apple"], "tags": ["B-PER", "B-MISC"]},
        {"tokens": ["jordan", "paris", "titanic"], "tags": ["B-LOC", "B-LOC", "B-MISC"]},
        {"tokens": ["word", "apple"], "tags": ["O", "B-ORG"]},
    ]
    return LabelledFile(write_posts(tmp_path_factory.mktemp("data") / "train.jsonl", posts))


def _by_hand(part: Part) -> dict[tuple[str, str], list[int]]:
    """Right, found and labelled entities of each part and view."""
    counted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for post in POSTS:
        for view, captions in (("T", ()), ("I+T", tuple(post.get("captions", {}).values()))):
            found, there = guessed(post, captions), gold(post)
            for place, entities in enumerate((found & there, found, there)):
                for at, name in entities:
                    for key in (part(post, at, name), "all"):
                        counted[key, view][place] += 1
    return counted


def _told(findings: Findings) -> dict[tuple[Any, Any], Mapping[str, Any]]:
    """Rows by part and view."""
    rows = [dict(zip(findings.columns, row, strict=True)) for row in findings.rows]
    return {(row[findings.columns[0]], row["view"]): row for row in rows}


def _agrees(findings: Findings, part: Part) -> None:
    counted, told = _by_hand(part), _told(findings)
    assert {key for key, row in told.items() if row["gold"]} == {
        key for key, (_, _, there) in counted.items() if there
    }
    for key, (right, found, there) in counted.items():
        if there:
            row = told[key]
            assert row["gold"] == there
            assert (row["P"], row["R"], row["F1"]) == pytest.approx(scores(right, found, there)), key
            assert row["F1 95 %"][0] <= row["F1"] <= row["F1 95 %"][1]
    for (name, view), row in told.items():
        if view == "I+T" and row["gold"]:
            assert row["difference"] == pytest.approx(row["F1"] - told[name, "T"]["F1"])
        else:
            assert row["difference"] is None


def test_length_counts_the_words_of_posts(tagged: list[Tagged]) -> None:
    def part(post: Mapping[str, Any], at: int, name: str) -> str:
        length = len(post["tokens"])
        return "1-7" if length <= 7 else "8" if length == 8 else "9-20" if length <= 20 else "21 and more"

    findings = by_length(tagged, borders_of("7, 8,20"), DRAWS)
    _agrees(findings, part)
    few = sum(len(post["tokens"]) <= 7 for post in POSTS)
    assert any(f"1-7: {few}, 8: " in note for note in findings.notes)


@pytest.mark.parametrize("borders", ["", "7,", "7,7", "9,7", "0,7", "-1", "a", "7.5"])
def test_borders_that_do_not_rise_are_refused(borders: str) -> None:
    with pytest.raises(SettingsError, match="expected rising numbers"):
        borders_of(borders)


def test_types_go_by_what_is_predicted_for_precision_and_by_what_is_labelled_for_recall(
    tagged: list[Tagged],
) -> None:
    _agrees(by_type(tagged, DRAWS), lambda post, at, name: name)


def test_seen_means_in_training_with_the_same_type(tagged: list[Tagged], training: LabelledFile) -> None:
    known = {("jordan", "PER"), ("jordan", "LOC"), ("paris", "LOC"), ("titanic", "MISC"), ("apple", "ORG")}
    entities = TrainingEntities(training.posts())
    assert (len(entities), entities.ambiguous) == (5, 1)  # Apple is another surface form than apple
    _agrees(
        by_seen(tagged, entities, DRAWS),
        lambda post, at, name: "seen" if (post["tokens"][at], name) in known else "unseen",
    )


def test_ambiguity_goes_by_the_types_in_training(tagged: list[Tagged], training: LabelledFile) -> None:
    types = {"jordan": "PER LOC", "paris": "LOC", "titanic": "MISC", "apple": "ORG"}

    def part(post: Mapping[str, Any], at: int, name: str) -> str:
        known = types.get(post["tokens"][at], "").split()
        if len(known) == 2:
            return "multi-type"
        if not known:
            return "not in training"
        return "single-type" if known == [name] else "other type only"

    _agrees(by_ambiguity(tagged, TrainingEntities(training.posts()), DRAWS), part)


def test_without_case_two_spellings_are_one_surface_form(training: LabelledFile) -> None:
    entities = TrainingEntities(training.posts(), ignore_case=True)
    assert (len(entities), entities.ambiguous) == (4, 2)


def test_intervals_and_differences_are_those_of_the_bootstrap(tagged: list[Tagged]) -> None:
    row = _told(by_type(tagged, DRAWS))["all", "I+T"]
    text, both = (counts_of_models(one.judged) for one in tagged)
    own, paired = bootstrap_interval(both, 200, 3), paired_bootstrap(text, both, 200, 3)
    assert row["F1 95 %"] == pytest.approx((100 * own.low, 100 * own.high))
    found = (100 * paired.interval.low, 100 * paired.interval.high)
    assert row["difference 95 %"] == pytest.approx(found)


def test_of_several_seeds_means_are_told(data: LabelledFile) -> None:
    """One that sees and one that does not, as if they were two seeds of one model."""
    two = Group("two", (LoadedModel("blind", BlindLexiconModel()), LoadedModel("seeing", SeeingModel())))
    one_each = [Group(loaded.name, (loaded,)) for loaded in two.models]
    tagged = tag_all(systems_of([*one_each, two], data, "text"), data, lambda _: lambda _: None)
    findings = by_type(tagged, DRAWS)
    rows = [dict(zip(findings.columns, row, strict=True)) for row in findings.rows]
    for name in ("LOC", "PER", "all"):
        blind, seeing, mean = [row for row in rows if row["type"] == name]
        for figure in ("P", "R", "F1"):
            assert mean[figure] == pytest.approx((blind[figure] + seeing[figure]) / 2)
        assert blind["F1"] != seeing["F1"]
        assert mean["difference"] == pytest.approx((seeing["F1"] - blind["F1"]) / 2)
        assert mean["gold"] == blind["gold"]
    assert "Scores are means over models: two 2." in findings.notes


class SeeingModel(BlindLexiconModel):
    """Tags a text as if there were a river in its picture."""

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        river = {"captions": Seen((Captions(("river",), (0.0,)),))}
        return super().tag([replace(post, visuals=river) for post in batch])


def test_models_with_different_views_are_no_group(data: LabelledFile) -> None:
    mixed = Group("mixed", (LoadedModel("blind", BlindLexiconModel()), *lexicon().models))
    with pytest.raises(InputError, match="mixed: its models have different views"):
        systems_of([mixed], data, None)
    (system,) = systems_of([mixed], data, "text")
    assert len(system.models) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "a"], "a is named twice"),
        (["a=b,c", "a"], "a is named twice"),
        (["a="], "expected a model, or NAME="),
        (["=a"], "expected a model, or NAME="),
    ],
)
def test_groups_need_names_of_their_own_and_models(arguments: list[str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        groups_named(arguments)


def test_a_folder_with_an_equals_sign_in_its_name_is_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "rate=3"
    folder.mkdir()
    given = [str(folder), "seeds=a,b", "c"]
    assert groups_named(given) == {str(folder): (str(folder),), "seeds": ("a", "b"), "c": ("c",)}


def test_a_part_without_gold_entities_has_no_score(tagged: list[Tagged]) -> None:
    findings = by_length(tagged, (100,), DRAWS)
    for view in ("T", "I+T"):
        row = _told(findings)["101 and more", view]
        assert row["gold"] == 0
        assert row["F1"] is row["F1 95 %"] is row["difference"] is None


class _Careless(FusionModel):
    """Gives half a word."""

    def tag(self, batch: Sequence[FusionInput]) -> list[Tagging]:
        entity = Entity("par", "LOC", 0, 3, 0.9)
        return [Tagging((entity,), (1.0,), 0.0) for _ in batch]


def test_an_entity_that_cuts_a_word_counts_as_wrong_in_its_part(tmp_path: Path) -> None:
    post = {"tokens": ["paris"], "tags": ["B-LOC"]}
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", [post]))
    careless = tag(System("careless", (_Careless(),), "text"), lambda _: data.posts(), lambda _: None)
    row = _told(by_type([careless], DRAWS))["LOC", "T"]
    assert (row["gold"], row["P"], row["R"], row["F1"]) == (1, 0.0, 0.0, 0.0)


def test_names_of_accounts_are_not_judged_where_the_data_does_not_label_them(tmp_path: Path) -> None:
    post = {"tokens": ["@harry", "in", "paris"], "tags": ["O", "O", "B-LOC"]}
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", [post]))
    (one,) = tag_all(systems_of([lexicon()], data, "text"), data, lambda _: lambda _: None)
    assert [span.type for judged in one.judged[0] for span in judged.found] == ["LOC"]


def test_a_file_without_entities_is_refused(tmp_path: Path) -> None:
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", [{"tokens": ["a"], "tags": ["O"]}]))
    with pytest.raises(InputError, match="no gold entity"):
        data.posts()
