"""Numbers that only a slip of the keyboard makes are refused before they fill the memory or take days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

from click.testing import CliRunner
from pydantic import BaseModel, ValidationError

from streamproc.cli.main import cli
from streamproc.fusion.discovery import find_plugin, plugin_names
from streamproc_mner.family import TaggerPlugin
from streamproc_mner.nn.text_encoder import BiLstmText

ABSURD = 10**9


def _counts() -> Iterator[tuple[type[BaseModel], str]]:
    """Every whole number that a network, or a plugin with a model, is set up with."""
    plugins = [plugin for plugin in map(find_plugin, plugin_names()) if plugin.needs_model]
    models: list[type[BaseModel]] = [BiLstmText, *(plugin.Config for plugin in plugins)]
    models += [plugin.network_class().Settings for plugin in plugins if issubclass(plugin, TaggerPlugin)]
    for model in dict.fromkeys(models):
        yield from ((model, name) for name, field in model.model_fields.items() if field.annotation is int)


@pytest.mark.parametrize(
    ("model", "name"), list(_counts()), ids=lambda value: getattr(value, "__name__", value)
)
def test_every_count_of_a_network_or_plugin_has_an_end(model: type[BaseModel], name: str) -> None:
    with pytest.raises(ValidationError, match=rf"{name}\n.*less than or equal to"):
        model.model_validate({name: ABSURD})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("analyse", "vocabulary", "m", "--draws", str(ABSURD)),
            "'--draws': 1000000000 is not in the range",
        ),
        (("analyse", "types", "m", "--resamples", str(ABSURD)), "'--resamples': 1000000000 is not in the"),
        (
            ("data", "make", "--out", "x.jsonl", "--posts", str(ABSURD)),
            "'--posts': 1000000000 is not in the",
        ),
        (
            ("recipes", "run", "--out", "x", "--jobs", str(ABSURD)),
            "'--jobs': 1000000000 is not in the range",
        ),
    ],
)
def test_a_command_refuses_what_would_take_days(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    data = tmp_path / "posts.jsonl"
    data.write_text('{"tokens": ["Paris"], "tags": ["B-LOC"]}\n')
    given = {"analyse": ("--data", str(data)), "recipes": ("--data", str(tmp_path))}
    done = CliRunner().invoke(cli, [*arguments, *given.get(arguments[0], ())])
    assert done.exit_code == 2
    told = done.stderr + str(done.exception)
    assert said in " ".join(told.split())
