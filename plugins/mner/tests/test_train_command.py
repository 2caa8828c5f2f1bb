"""`streamproc train`, from a file of posts to a model that is served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

import numpy as np
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from plugins.mner.tests.made_data import write_data_set
from streamproc.errors import InputError, PluginError, SettingsError
from streamproc.fusion.api import FusionInput
from streamproc_mner.cli.train import command
from streamproc_mner.evaluation.loading import load_model
from streamproc_mner.training import run as run_module
from streamproc_mner.training.checkpoints import Checkpoints
from streamproc_mner.training.claim import locked
from streamproc_mner.training.trainer import Trainer, TrainingFailed

SMALL = (
    "limits.window=64", "limits.overlap=8", "limits.context=16", "training.batch=4", "training.epochs=3",
    "training.encoder_rate=1e-3", "training.head_rate=0.02", "training.held_out=0.25",
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data_set(tmp_path / "made")


def arguments(
    encoder: Path, data: Path, out: Path, *more: str, recipe: str = "wang2022/ita-ga-cva"
) -> list[str]:
    changes = [part for change in SMALL for part in ("--set", change)]
    return [
        recipe, "--data", str(data), "--out", str(out), "--encoder", str(encoder),
        "--threads", "1", *changes, *more,
    ]  # fmt: skip


def train(encoder: Path, data: Path, out: Path, *more: str, **options: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        command, arguments(encoder, data, out, "--json", *more, **options), catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_a_recipe_becomes_a_model_that_is_served(tiny_encoder: Path, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "made", train=120)
    told = train(
        tiny_encoder, data, tmp_path / "run",
        "--set", "training.epochs=20", "--set", "training.encoder_rate=3e-3",
    )  # fmt: skip
    assert told["stopped"] is False
    assert {"made/text", "made/image+text", "dev_f1"} == set(told["dev"])
    assert {"made/valid/text", "made/valid/image+text"} == set(told["reported"])
    assert told["reported"]["made/valid/text"] > 90
    model = load_model(told["model"]).model
    (tagging,) = model.tag([FusionInput("kevin in paris")])
    assert [(e.text, e.type) for e in tagging.entities] == [("kevin", "PER"), ("paris", "LOC")]
    metrics = json.loads((tmp_path / "run" / "model" / "metrics.json").read_text())
    assert (
        metrics["temperature"]
        == json.loads((tmp_path / "run/model/config.json").read_text())["temperature"]
    )
    assert metrics["posts"] == {"made": {"train": 90, "dev": 30}}
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "made/valid/image+text" in card


def test_the_same_seed_gives_the_same_model_and_another_seed_another(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        train(tiny_encoder, data, tmp_path / name, "--seed", seed)
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


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


def test_training_ends_when_the_dev_posts_are_tagged_no_better(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([40.0, 60.0, 50.0, 60.0, 10.0, 99.0])
    monkeypatch.setattr(
        run_module, "Judging", lambda *_: lambda: {"dev_f1": next(scores), "made/text": 1.0}
    )
    told = train(
        tiny_encoder, data, tmp_path / "run", "--set", "training.epochs=9", "--set", "training.patience=2",
    )  # fmt: skip
    assert told["epochs"] == 4, "two epochs after the second, none was better than it"
    assert told["chosen"] == "epoch 4", "of equals the one that was trained the most"


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


def test_a_loss_that_is_no_number_ends_with_what_to_change(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr(Trainer, "_loss", lambda *_: nothing * 1)
    with pytest.raises(TrainingFailed, match=r"the loss is nan in epoch 1: lower training.encoder_rate"):
        train(tiny_encoder, data, tmp_path / "run")


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("can't allocate memory")],
)
def test_without_enough_memory_the_error_names_the_settings(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: Any) -> torch.Tensor:
        raise error

    monkeypatch.setattr(Trainer, "_loss", fails)
    with pytest.raises(TrainingFailed, match=r"lower training.batch \(now 4\) or limits.window"):
        train(tiny_encoder, data, tmp_path / "run")


def test_several_data_sets_are_trained_on_together_and_judged_apart(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    other = write_data_set(tmp_path / "second", seed=3)
    told = train(tiny_encoder, data, tmp_path / "run", "--data", str(other))
    assert {"made/text", "second/text"} <= set(told["dev"])
    named = ("made/text", "made/image+text", "second/text", "second/image+text")
    assert told["dev"]["dev_f1"] == pytest.approx(sum(told["dev"][name] for name in named) / 4, abs=1e-3)


def test_a_recipe_of_ones_own_is_read_from_a_file(tiny_encoder: Path, data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'name = "mine/small"\npaper = "none"\nabout = "text only"\nplugin = "bert-crf"\n'
        'types = ["PER", "LOC"]\n[network]\nencoder = "bert-base-cased"\n'
    )
    told = train(tiny_encoder, data, tmp_path / "run", recipe=str(recipe))
    assert set(told["dev"]) == {"dev_f1", "made/text"}
    assert json.loads((tmp_path / "run/model/labels.json").read_text()) == [
        "O", "B-PER", "I-PER", "B-LOC", "I-LOC",
    ]  # fmt: skip


def test_a_label_that_the_recipe_does_not_know_is_named(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="unknown type 'LOC'"):
        train(tiny_encoder, data, tmp_path / "run", "--set", 'types=["PER"]')


def test_words_and_characters_are_trained_without_an_encoder(data: Path, tmp_path: Path) -> None:
    changes = [
        "network.word_width=16", "network.character_width=8", "network.character_hidden=8",
        "network.hidden=16", "training.epochs=2", "training.held_out=0.25",
    ]  # fmt: skip
    given = [part for change in changes for part in ("--set", change)]
    result = CliRunner().invoke(
        command,
        [
            "yu2020/bilstm-crf",
            "--data",
            str(data),
            "--out",
            str(tmp_path / "run"),
            "--threads",
            "1",
            *given,
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    assert load_model(str(tmp_path / "run" / "model")).model.tag([FusionInput("kevin in paris")])


def test_of_two_global_vectors_a_recipe_is_trained_on_the_one_of_its_width(
    data: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    lines = []
    for name, width in (("global", 2048), ("global_inception", 1024)):
        (seen / name).mkdir(parents=True)
        np.savez(seen / name / "0.npz", **{"global": np.ones(width, np.float16)})
    for split in ("train", "valid"):
        for line in (data / f"{split}.jsonl").read_text().splitlines():
            files = {
                name: {"version": "1", "file": f"{name}/0.npz"} for name in ("global", "global_inception")
            }
            lines.append(json.dumps({"picture": f"{json.loads(line)['id']}.jpg", "digest": "0", **files}))
    (seen / "pictures.jsonl").write_text("\n".join(lines) + "\n")
    small = ("network.word_width=8", "network.hidden=8", "network.transform_width=8", "training.epochs=1")
    changes = [part for change in (*small, "training.held_out=0.25") for part in ("--set", change)]
    result = CliRunner().invoke(
        command,
        ["moon2018/wcv", "--data", str(data), "--out", str(tmp_path / "run"), "--pictures", str(seen),
         "--threads", "1", *changes],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "18 of 18 posts have global" in result.output


def test_pretraining_teaches_the_encoder_and_is_not_done_twice(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first = CliRunner().invoke(command, arguments(tiny_encoder, data, out, "--pretrain-mlm", "2"))
    assert first.exit_code == 0, first.output
    assert "masked-LM epoch 2/2: loss" in first.output
    kept = (out / "pretrained.safetensors").read_bytes()
    (out / "result.json").unlink()
    again = CliRunner().invoke(command, arguments(tiny_encoder, data, out, "--pretrain-mlm", "2"))
    assert again.exit_code == 0, again.output
    assert "masked-LM" not in again.output
    assert (out / "pretrained.safetensors").read_bytes() == kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("training.epoch=3", "did you mean epochs?"),
        ("training.epochs=0", "greater than or equal to 1"),
        ("nonsense", "expected KEY=VALUE"),
        ("network.dropuot=0.1", "network.dropuot"),
    ],
)
def test_a_change_that_the_recipe_does_not_know_is_refused(
    tiny_encoder: Path, data: Path, tmp_path: Path, change: str, said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        train(tiny_encoder, data, tmp_path / "run", "--set", change)
    assert said in str(refused.value)


def test_a_folder_without_training_posts_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected train.jsonl \(or .txt, .conll\)"):
        train(tiny_encoder, tmp_path / "empty", tmp_path / "run")


def test_damaged_state_says_to_start_again(
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoints, "clear", lambda self: None)
    train(tiny_encoder, data, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
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


def test_a_window_that_the_encoder_cannot_take_is_refused_before_training(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(PluginError, match=r"limits.window is 999, but the encoder takes 128"):
        train(tiny_encoder, data, tmp_path / "run", "--set", "limits.window=999")
    assert not (tmp_path / "run" / "log.jsonl").exists()


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
    monkeypatch.setattr(Checkpoints, "clear", lambda self: None)
    train(tiny_encoder, data, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    for path in (tmp_path / "run" / "epochs").iterdir():
        flipped = bytearray(path.read_bytes())
        flipped[-1] ^= 1
        path.write_bytes(flipped)
    with pytest.raises(InputError, match="missing or damaged: start again"):
        train(tiny_encoder, data, tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_one_line(tiny_encoder: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        train(tiny_encoder, data, tmp_path / "file" / "run")


def test_a_device_of_another_kind_is_refused(tiny_encoder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected auto, cpu, cuda"):
        train(tiny_encoder, data, tmp_path / "run", "--device", "meta")


def test_a_name_that_is_no_name_is_refused(tiny_encoder: Path, data: Path, tmp_path: Path) -> None:
    for name in ("", "<script>", "a" * 101):
        result = CliRunner().invoke(
            command, arguments(tiny_encoder, data, tmp_path / "run", "--name", name)
        )
        assert result.exit_code == 2
        assert "letters, digits" in result.output
