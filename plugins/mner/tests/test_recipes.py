"""The recipes: all rows, names, their data and what their networks read of pictures."""

from __future__ import annotations

import json
import tomllib

import pytest
from click.testing import CliRunner

from streamproc.cli.main import cli
from streamproc.errors import SettingsError
from streamproc_mner.recipes.building import network_settings
from streamproc_mner.recipes.recipe import Recipe, all_recipes, find_recipe

FAMILIES = {
    "bilstm-crf": 11,
    "bert-crf": 6,
    "concat": 1,
    "visual-attention": 3,
    "co-attention": 3,
    "visualbert": 5,
    "umt": 5,
    "ita": 22,
}


def test_there_is_one_for_every_system_of_the_papers() -> None:
    recipes = all_recipes()
    assert len({recipe.name for recipe in recipes}) == len(recipes) == 56
    papers = [recipe.name.split("/")[0] for recipe in recipes]
    assert {paper: papers.count(paper) for paper in papers} == {
        "moon2018": 8,
        "yu2020": 14,
        "chen2021": 8,
        "wang2022": 26,
    }
    plugins = [recipe.plugin for recipe in recipes]
    assert {plugin: plugins.count(plugin) for plugin in plugins} == FAMILIES


def test_a_bare_name_that_is_unique_will_do() -> None:
    assert find_recipe("umt-bert-crf").name == "yu2020/umt-bert-crf"
    assert find_recipe("yu2020/bert-crf").name == "yu2020/bert-crf"
    with pytest.raises(
        SettingsError, match=r"several papers: yu2020/bert-crf, chen2021/bert-crf, wang2022"
    ):
        find_recipe("bert-crf")
    assert find_recipe("UMT-BERT-CRF").name == "yu2020/umt-bert-crf"
    with pytest.raises(SettingsError, match=r"no recipe named 'umt-brt-crf': did you mean umt-bert-crf\?"):
        find_recipe("umt-brt-crf")
    with pytest.raises(SettingsError, match=r"no recipe named 'adacan': some .* are yu2020/adacan-cnn"):
        find_recipe("adacan")


def test_figures_are_those_of_the_papers() -> None:
    assert find_recipe("umt-bert-crf").published["twitter2017"].f1 == 85.31
    assert find_recipe("wcv-attn").published["snapcaptions"].segmentation_f1 == 68.0
    best = find_recipe("ita-all-cva").published["snap"]
    assert (best.f1, best.text_f1, best.best_f1) == (86.75, 86.83, 87.44)
    assert best.told() == "86.75 (T 86.83, best 87.44)"
    assert find_recipe("gvatt-hbilstm-crf").published["twitter2015"].told() == "70.80"
    assert all(recipe.published and recipe.about for recipe in all_recipes())


@pytest.mark.parametrize("recipe", all_recipes(), ids=lambda recipe: recipe.name)
def test_every_setting_is_one_of_the_plugins_network(recipe: Recipe) -> None:
    settings = network_settings(recipe).model_dump(mode="json")
    for key, value in recipe.network.items():
        assert key in settings
        if not isinstance(value, dict):
            assert settings[key] == value


def test_a_wrong_setting_is_named() -> None:
    recipe = find_recipe("umt-bert-crf")
    with pytest.raises(SettingsError, match=r"yu2020/umt-bert-crf: network\.colour: Extra inputs"):
        network_settings(recipe, {"colour": "red"})


def test_list_as_a_table_and_for_scripts() -> None:
    run = CliRunner().invoke(cli, ["recipes", "list", "--plugin", "umt"], terminal_width=200)
    assert run.exit_code == 0
    assert "umt-bert-crf-no-visual-gate" in run.output.replace("\n", "")
    assert "5 recipes" in run.output
    listed = json.loads(CliRunner().invoke(cli, ["recipes", "list", "--json"]).output)
    assert len(listed) == 56
    assert {"name", "paper", "plugin", "modalities", "published"} <= set(listed[0])


def test_show_is_toml_with_every_setting() -> None:
    run = CliRunner().invoke(cli, ["recipes", "show", "umt-bert-crf"])
    shown = tomllib.loads(run.output)
    assert shown["network"] == network_settings(find_recipe("umt-bert-crf")).model_dump(
        mode="json", exclude_none=True
    )
    assert shown["training"]["batch"] == 16
    assert shown["published"]["twitter2015"] == {"f1": 73.41}
    again = json.loads(CliRunner().invoke(cli, ["recipes", "show", "umt-bert-crf", "--json"]).output)
    assert again == shown
