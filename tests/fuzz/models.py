"""Folders of saved models: what is not whole or not right is refused, and nothing else happens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from streamproc.errors import PluginError
from streamproc.fusion.discovery import find_plugin
from streamproc_mner.labels import bio_labels
from streamproc_mner.model_folder import plugin_of
from streamproc_mner.onnx_tagger import INPUTS, OUTPUT
from streamproc_mner.saved_config import Crf
from streamproc_mner.saved_files import CONFIG, LABELS, TOKENIZER, VOCABULARY
from streamproc_mner.saved_model import write_model
from streamproc_mner.windows import Limits
from tests.fuzz.inputs import changed, changes, damaged
from tests.fuzz.target import Check, Target, is_one_line

_TOLD: Final = (CONFIG, LABELS, TOKENIZER, VOCABULARY)
_WEIGHTS: Final = ("model.onnx", "model.safetensors")


@contextmanager
def _onnx(folder: Path) -> Iterator[Check]:
    import onnx
    from onnx import TensorProto, helper

    from plugins.tiny_tokenizers import write_word_piece

    words = write_word_piece(folder / TOKENIZER)
    labels = bio_labels(("PER", "LOC"))
    table = helper.make_tensor(
        "table", TensorProto.FLOAT, [words, len(labels)], [0.5] * words * len(labels)
    )
    shapes = {name: ["B", "S", 3] if name == "shapes" else ["B", "S"] for name in INPUTS}
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], [OUTPUT])],
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["B", "S", len(labels)])],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    zeros = (0.0,) * len(labels)
    write_model(
        folder / "model",
        weights=folder / "model.onnx",
        name="tiny",
        network="ita",
        labels=labels,
        limits=Limits(),
        metrics={},
        card="# tiny\n",
        tokenizer=folder / TOKENIZER,
        kinds=("alt", "ocr"),
        crf=Crf(start=zeros, transitions=(zeros,) * len(labels), end=zeros),
    )
    yield _check(folder / "model")


@contextmanager
def _torch(folder: Path) -> Iterator[Check]:
    yield _check(_saved(folder, "ita"))


@contextmanager
def _words(folder: Path) -> Iterator[Check]:
    yield _check(_saved(folder, "bilstm-crf"))


def _saved(folder: Path, plugin: str) -> Path:
    """A tiny model with random weights."""
    from transformers.utils import logging

    from plugins.saved_families import save_random
    from streamproc_bilstm_crf.tagger import BiLstmTagger
    from streamproc_ita.tagger import ItaTagger
    from tests.recipes.encoders import make_encoders

    logging.disable_progress_bar()
    small = {"picture": "none", "word_width": 8, "character_width": 4, "character_hidden": 4, "hidden": 8}
    network, settings = (ItaTagger, {}) if plugin == "ita" else (BiLstmTagger, small)
    (folder / "encoders").mkdir()
    encoder = make_encoders(folder / "encoders") / "bert"
    return save_random(network, settings, plugin, encoder, folder / "model")


def _check(folder: Path) -> Check:
    """Changes one file of the folder, loads it, and puts the file back."""
    _load(folder)
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}

    def check(given: Any) -> None:
        kind, number, damage, edits = given
        names = [name for name in (_WEIGHTS if kind == "weights" else _TOLD) if name in whole]
        name = names[number % len(names)]
        if kind == "values":
            _rewrite(folder, name, whole, edits)
        else:
            (folder / name).write_bytes(_damage(whole[name], damage))
        try:
            _load(folder)
        except PluginError as error:
            is_one_line(str(error))
        finally:
            (folder / name).write_bytes(whole[name])
            (folder / CONFIG).write_bytes(whole[CONFIG])

    return check


def _load(folder: Path) -> None:
    plugin = find_plugin(plugin_of(folder))
    plugin(plugin.Config()).load(folder, "cpu")


def _damage(data: bytes, damage: tuple[str, int, bytes]) -> bytes:
    kind, at, put = damage
    at %= len(data)
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ 1 << len(put) % 8]) + data[at + 1 :]
    return data[:at] + put + data[at + len(put) :]


def _rewrite(folder: Path, name: str, whole: dict[str, bytes], edits: list[tuple[list[int], Any]]) -> None:
    """Another value in a file of JSON; `config.json` says that it is right so."""
    value = json.loads(whole[name])
    for path, put in edits:
        value = changed(value, path, put)
    if value is ...:
        (folder / name).unlink()
        return
    raw = json.dumps(value).encode()
    (folder / name).write_bytes(raw)
    if name != CONFIG:
        config = json.loads(whole[CONFIG])
        config["files"][name] = hashlib.sha256(raw).hexdigest()
        (folder / CONFIG).write_text(json.dumps(config))


_INPUTS: Final = st.tuples(
    st.sampled_from(["values", "values", "values", "bytes", "weights"]),
    st.sampled_from([0, 0, 1, 2, 3]),
    st.tuples(st.sampled_from(["cut", "flip", "put"]), st.integers(0, 2**22), damaged([b"{}"])),
    changes(),
)

TARGETS: Final = (
    Target("onnx", _INPUTS, _onnx, short=60, cost=400),
    Target("torch", _INPUTS, _torch, short=60, cost=400),
    Target("words", _INPUTS, _words, short=60, cost=400),
)
