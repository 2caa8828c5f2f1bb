"""`streamproc train`, from a file of posts to a model that is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

import numpy as np
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from plugins.mner.tests.made_data import write_data_set
from plugins.mner.tests.small_training import arguments, same, train
from streamproc.errors import InputError, PluginError, SettingsError
from streamproc.fusion.api import FusionInput
from streamproc_mner.cli.train import command
from streamproc_mner.evaluation.loading import load_model
from streamproc_mner.training import run as run_module
from streamproc_mner.training.trainer import Trainer, TrainingFailed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data_set(tmp_path / "made")


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
    tiny_encoder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = arguments(tiny_encoder, data, tmp_path / "run", "--pretrain-mlm", "2")

    def killed(_: Trainer) -> int:
        raise ConnectionAbortedError

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "run", killed)
        first = CliRunner().invoke(command, wanted)
    assert isinstance(first.exception, ConnectionAbortedError)
    assert "masked-LM epoch 2/2: loss" in first.output
    kept = load_file(tmp_path / "run" / "pretrained.safetensors")
    fresh = load_file(tiny_encoder / "model.safetensors")
    assert not torch.equal(
        kept["embeddings.word_embeddings.weight"], fresh["embeddings.word_embeddings.weight"]
    )
    again = CliRunner().invoke(command, wanted)
    assert again.exit_code == 0, again.output
    assert "masked-LM" not in again.output
    assert not (tmp_path / "run" / "pretrained.safetensors").exists()  # a run that ended gives room back


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


def test_a_window_that_the_encoder_cannot_take_is_refused_before_training(
    tiny_encoder: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(PluginError, match=r"limits.window is 999, but the encoder takes 128"):
        train(tiny_encoder, data, tmp_path / "run", "--set", "limits.window=999")
    assert not (tmp_path / "run" / "log.jsonl").exists()


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
