"""Seeds as `analyse size` and `recipes run` are given them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from streamproc.errors import SettingsError
from streamproc_mner.cli.run_recipes import command
from streamproc_mner.recipes.seeds import seeds_of


@pytest.mark.parametrize("text", ["", "a", "1,1", "1.5", "-1", "1,2147483649", "9" * 5000])
def test_seeds_that_no_training_takes_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected different whole numbers up to 2147483648"):
        seeds_of(text)
    assert seeds_of("13, 2147483648") == (13, 2147483648)


def test_so_many_seeds_are_a_slip() -> None:
    with pytest.raises(SettingsError, match="--seeds: 101 of them, expected at most 100"):
        seeds_of(",".join(map(str, range(101))))
    assert len(seeds_of(",".join(map(str, range(100))))) == 100


def test_runs_are_refused_before_the_first_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs") / "out"
    given = ["wang2022/bert-crf", "--data", str(data), "--out", str(out), "--seeds", "1,-2"]
    error = CliRunner().invoke(command, given).exception
    assert isinstance(error, SettingsError)
    assert "--seeds 1,-2: expected different whole numbers" in str(error)
    assert not out.exists()
