"""`streamproc train` after a stop: what is kept, what it goes on from, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

from click.testing import CliRunner

from plugins.mner.tests.made_data import write_data_set
from plugins.mner.tests.small_training import arguments, same, train
from streamproc.errors import InputError, SettingsError
from streamproc.fusion.api import FusionInput
from streamproc_mner.cli.train import command
from streamproc_mner.evaluation.loading import load_model
from streamproc_mner.training import run as run_module
from streamproc_mner.training.checkpoints import Checkpoints
from streamproc_mner.training.claim import locked
from streamproc_mner.training.trainer import Trainer


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data_set(tmp_path / "made")


def test_a_killed_run_goes_on_to_what_an_unbroken_one_comes_to(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    train(tiny_encoder, data, tmp_path / "whole", "--set", "training.averaged=2")
    broken = arguments(tiny_encoder, data, tmp_path / "broken", "--set", "training.averaged=2")
    program = (
        "import sys\n"
        "from streamproc_mner.cli.train import command\n"
        "from streamproc_mner.training.trainer import Trainer\n"
        "import os, signal\n"
        "step, done = Trainer._step, []\n"
        "def killed(self, *given):\n"
        "    done.append(1)\n"
        "    if len(done) == 8: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return step(self, *given)\n"
        "Trainer._step = killed\n"
        "command(sys.argv[1:])\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", program, *broken], capture_output=True, timeout=120, check=False,
        cwd=Path(__file__).parents[3], env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert not (tmp_path / "broken" / "model").exists()
    told = train(tiny_encoder, data, tmp_path / "broken", "--set", "training.averaged=2")
    assert told["epochs"] == 3
    assert same(tmp_path / "whole", tmp_path / "broken")


def test_ctrl_c_leaves_the_best_so_far_as_a_model_and_the_run_goes_on(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, done = Trainer._step, []

    def interrupted(self: Trainer, *given: Any) -> float:
        done.append(1)
        if len(done) == 8:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(Trainer, "_step", interrupted)
    result = CliRunner().invoke(command, arguments(tiny_encoder, data, tmp_path / "run"))
    assert result.exit_code == 130
    assert "stopped after epoch 1" in result.output
    assert load_model(str(tmp_path / "run" / "model")).model.tag([FusionInput("kevin")])
    monkeypatch.setattr(Trainer, "_step", step)
    train(tiny_encoder, data, tmp_path / "run")
    train(tiny_encoder, data, tmp_path / "whole")
    assert same(tmp_path / "run", tmp_path / "whole")


def test_ctrl_c_before_the_first_epoch_keeps_nothing(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Trainer, *given: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_step", interrupted)
    result = CliRunner().invoke(command, arguments(tiny_encoder, data, tmp_path / "run"))
    assert result.exit_code == 130
    assert "nothing is kept" in result.output


def test_a_folder_holds_one_run_until_it_is_started_over(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train(tiny_encoder, data, out, "--set", "training.epochs=1")
    with pytest.raises(
        InputError, match=r"holds a run with recipe.training.epochs = 1, not 3: name another"
    ):
        train(tiny_encoder, data, out)
    write_data_set(data, seed=5)
    with pytest.raises(InputError, match="holds a run with other data"):
        train(tiny_encoder, data, out, "--set", "training.epochs=1")
    assert train(tiny_encoder, data, out, "--again")["epochs"] == 3


def test_starting_over_deletes_no_folder_of_something_else(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(SettingsError, match="not empty and holds no run"):
        train(tiny_encoder, data, tmp_path / "mine", "--again")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_what_a_run_goes_on_from_is_kept_only_while_it_is_needed(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([40.0, 60.0, 50.0])
    monkeypatch.setattr(
        run_module, "Judging", lambda *_: lambda: {"dev_f1": next(scores), "made/text": 1.0}
    )
    result = CliRunner().invoke(command, arguments(tiny_encoder, data, tmp_path / "run"))
    assert isinstance(result.exception, StopIteration), "the fourth score, of the report, is not there"
    kept = sorted(path.name for path in (tmp_path / "run" / "epochs").iterdir())
    assert kept == ["02.safetensors", "03.safetensors"], "the best one, and the last to go on from"
    monkeypatch.undo()
    told = train(tiny_encoder, data, tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        ".lock", "log.jsonl", "model", "result.json", "run.json",
    ]  # fmt: skip
    assert train(tiny_encoder, data, tmp_path / "run") == told, "asked again, it says what it came to"


def train_but_for_the_end(encoder: Path, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed behind its last epoch."""
    monkeypatch.setattr(Checkpoints, "clear", lambda self: None)
    train(encoder, data, out)
    (out / "result.json").unlink()


def test_damaged_state_says_to_start_again(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_but_for_the_end(tiny_encoder, data, tmp_path / "run", monkeypatch)
    state = tmp_path / "run" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:40])
    with pytest.raises(InputError, match="start again with --again"):
        train(tiny_encoder, data, tmp_path / "run")


def test_two_processes_do_not_train_in_one_folder(tiny_encoder: Path, data: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(InputError, match="another process trains there"):
        train(tiny_encoder, data, tmp_path / "run", "--again")
    assert train(tiny_encoder, data, tmp_path / "run")["epochs"] == 3


def test_ctrl_c_after_the_last_epoch_still_leaves_a_model(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Trainer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "choose", interrupted)
    result = CliRunner().invoke(command, arguments(tiny_encoder, data, tmp_path / "run"))
    assert result.exit_code == 130
    assert "stopped after epoch 3" in result.output
    monkeypatch.undo()
    told = train(tiny_encoder, data, tmp_path / "run")
    assert (told["stopped"], bool(told["reported"])) == (False, True)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_a_damaged_description_of_a_run_says_to_start_again(
    tiny_encoder: Path, data: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json: damaged: start again with --again"):
        train(tiny_encoder, data, tmp_path / "run")
    assert train(tiny_encoder, data, tmp_path / "run", "--again")["epochs"] == 3


def test_weights_that_changed_on_disk_are_not_gone_on_from(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_but_for_the_end(tiny_encoder, data, tmp_path / "run", monkeypatch)
    for path in (tmp_path / "run" / "epochs").iterdir():
        flipped = bytearray(path.read_bytes())
        flipped[-1] ^= 1
        path.write_bytes(flipped)
    with pytest.raises(InputError, match="missing or damaged: start again"):
        train(tiny_encoder, data, tmp_path / "run")
