"""Every recipe keeps the contract; one of each family learns. `make recipes` teaches all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamproc_mner.recipes.recipe import Recipe, all_recipes, find_recipe
from tests.recipes.checks import build, show_contract, show_fresh_process, show_learning

ONE_OF_EACH_FAMILY = (
    "moon2018/wcv-attn",
    "yu2020/bert-crf",
    "chen2021/bert-cm-crf",
    "yu2020/gvatt-hbilstm-crf",
    "chen2021/bert-cam-crf",
    "chen2021/visualbert-tam-crf",
    "yu2020/umt-bert-crf",
    "wang2022/ita-all-cva",
)


def test_there_is_one_of_each_family() -> None:
    families = [find_recipe(name).plugin for name in ONE_OF_EACH_FAMILY]
    assert sorted(families) == sorted({recipe.plugin for recipe in all_recipes()})


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda recipe: recipe.name)
def test_contract(recipe: Recipe, encoders: Path, tmp_path: Path) -> None:
    show_contract(recipe, encoders, tmp_path / "model")


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_it_learns_what_only_the_picture_tells_or_posts_by_heart(
    name: str, encoders: Path, tmp_path: Path
) -> None:
    show_learning(find_recipe(name), encoders, tmp_path / "model")


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_a_fresh_process_says_the_same_to_the_last_bit(name: str, encoders: Path, tmp_path: Path) -> None:
    recipe = find_recipe(name)
    model = build(recipe, encoders).save(tmp_path / "model")
    show_fresh_process(recipe, model, tmp_path / "model")
