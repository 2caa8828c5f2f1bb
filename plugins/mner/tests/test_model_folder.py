"""Commands of the core take the folder of a saved model where they take a plugin's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

import streamproc_mner_tweets_sm
from plugins.saved_families import save_random
from streamproc.cli.failing import exit_code, one_line
from streamproc.cli.main import cli
from streamproc.entities import TaggedPost
from streamproc_bert_crf.tagger import BertTagger

DEFAULT = "mner-tweets-sm"
FOLDER = streamproc_mner_tweets_sm.MODEL.folder
POST = '{"platform": "x", "id": "1", "text": "Ada Lovelace in Paris"}\n'


@pytest.fixture(scope="module")
def torch_folder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(BertTagger, {}, "bert-crf", tiny_encoder, tmp_path_factory.mktemp("saved") / "tiny")


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    path = tmp_path / "posts.jsonl"
    path.write_text(POST)
    return path


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


def _tagged(posts: Path, plugin: str | Path) -> TaggedPost:
    output = posts.with_suffix(".out")
    done = _run("tag", posts, "--plugin", plugin, "--look", "never", "--output", output)
    assert done.exit_code == 0, done.exception
    (line,) = output.read_bytes().splitlines()
    return TaggedPost.from_json(line)


def test_tag_serves_a_folder_as_it_serves_the_installed_model(posts: Path) -> None:
    by_folder, by_name = _tagged(posts, FOLDER), _tagged(posts, DEFAULT)
    assert by_folder.entities == by_name.entities != ()
    assert by_folder.plugin == replace(by_name.plugin, name=str(FOLDER))


def test_tag_and_check_serve_a_folder_with_torch_weights(posts: Path, torch_folder: Path) -> None:
    plugin = _tagged(posts, torch_folder).plugin
    assert (plugin.name, plugin.model) == (str(torch_folder), "tiny")
    checked = _run("plugins", "check", torch_folder, "--json")
    assert checked.exit_code == 0, checked.exception
    assert {outcome["passed"] for outcome in json.loads(checked.stdout)} == {True}


@pytest.mark.parametrize("command", [("tag", "-", "--plugin"), ("plugins", "check")])
def test_a_folder_that_is_no_saved_model_is_refused_as_evaluate_refuses_it(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"tokens": ["Paris"], "tags": ["B-LOC"]}\n')
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    (run / "model" / "config.json").write_text("{}")
    for folder in (run, run / "model"):
        errors = [
            _run(*arguments).exception
            for arguments in ((*command, folder), ("evaluate", folder, "--data", data))
        ]
        said = [(exit_code(error), one_line(error)) for error in errors if error is not None]
        assert len(said) == 2
        assert said[0] == said[1]
        assert said[0][0] == 2
    assert "did you mean its folder model?" in str(_run(*command, run).exception)
