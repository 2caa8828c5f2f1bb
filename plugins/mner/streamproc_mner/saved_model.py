"""The folder of a saved model: what is in it, reading it with care, writing it.

    config.json      what the model is: format, the files' sha256, the network and its settings,
                     kinds of visual context, limits of length, the CRF's scores (ONNX) or the
                     encoders' configurations (torch)
    labels.json      the BIO labels, in the order of the emissions
    tokenizer.json   of the encoder, where there is one
    vocabulary.json  words and characters, where the network looks them up
    model.onnx       weights, or
    model.safetensors
    model.int8.onnx  the same as model.onnx in 8-bit integers, where it was made
    metrics.json     measured scores
    README.md        the model card

Pickles are refused: loading one runs whatever it says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from streamproc.entities import View
from streamproc.errors import PluginError
from streamproc.fusion.api import Modality
from streamproc_mner.saved_config import (
    FORMAT,
    QUICK,
    Crf,
    Quick,
    SavedConfig,
    SavedVocabulary,
    Weights,
    WeightsFile,
)
from streamproc_mner.saved_files import (
    CONFIG,
    LABELS,
    TOKENIZER,
    VOCABULARY,
    check_file,
    check_weights,
    copy,
    present,
    read_json,
    refuse_pickles,
    sha256,
    write_json,
)
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import Limits

__all__ = [
    "CARD",
    "CONFIG",
    "LABELS",
    "METRICS",
    "TOKENIZER",
    "VOCABULARY",
    "SavedModel",
    "add_quick",
    "check_quick",
    "entity_types",
    "read_model",
    "write_model",
]

METRICS: Final = "metrics.json"
CARD: Final = "README.md"

_LABELS: Final = TypeAdapter(list[str])


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A folder that was read and whose weights were checked."""

    folder: Path
    config: SavedConfig
    labels: tuple[str, ...]
    vocabulary: Vocabulary | None

    @property
    def weights(self) -> Path:
        """The weight file."""
        return self.folder / self.config.weights.file

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's file; it is there if the network has an encoder."""
        return self.folder / TOKENIZER

    @property
    def quick(self) -> Path | None:
        """The 8-bit weight file, if the model has one; `check_quick` says whether it is whole."""
        return self.folder / self.config.quick.file if self.config.quick else None

    @property
    def version(self) -> str:
        """Changes with all that a tagging depends on."""
        return self._version(self.config.weights)

    @property
    def quick_version(self) -> str | None:
        """The same for `quick`."""
        return self._version(self.config.quick) if self.config.quick else None

    def _version(self, weights: Weights | Quick) -> str:
        config = self.config
        if not config.files and config.temperature == 1.0:
            return weights.sha256[:12]  # models of the first release keep theirs
        covered = {"files", "crf", "temperature", "kinds", "limits"}
        told = config.model_dump(mode="json", include=covered) | {"weights": weights.sha256}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def read_model(folder: Path, weights: WeightsFile, network: str | None = None) -> SavedModel:
    """Read a saved model's folder and check that it is whole.

    Args:
        folder: of the model.
        weights: the kind of weight file that the caller can serve.
        network: the network that the caller can serve; any without it.

    Raises:
        PluginError: says which file is missing, corrupt, a pickle, of a newer format or of the
            wrong kind, and what to do.
    """
    refuse_pickles(folder)
    config = _read_config(folder)
    if config.weights.file != weights:
        server = "mner-onnx" if config.weights.file == "model.onnx" else config.network
        raise PluginError(
            f"{folder}: holds {config.weights.file}, expected {weights}: it is served by the plugin "
            f"{server}"
        )
    if network is not None and config.network != network:
        raise PluginError(
            f"{folder}: a model of the plugin {config.network}, expected one of {network}: "
            f"set plugin = {config.network!r}"
        )
    labels = _read_labels(folder)
    if weights == "model.onnx" and config.crf is None:
        raise PluginError(f"{folder / CONFIG}: crf is missing; a model with {weights} needs it")
    if config.crf is not None and not config.crf.is_of(len(labels)):
        raise PluginError(f"{folder / CONFIG}: crf is not of {len(labels)} labels, as {LABELS} is")
    vocabulary = _read_vocabulary(folder)
    reads_words = weights == "model.safetensors" and not config.encoders
    present(folder / (VOCABULARY if reads_words else TOKENIZER))
    for file, expected in config.files.items():
        check_file(folder / file, expected)
    check_weights(folder / weights, config.weights)
    return SavedModel(folder, config, labels, vocabulary)


def entity_types(folder: Path) -> tuple[str, ...]:
    """The entity types that a saved model knows, in the order of its labels.

    Raises:
        PluginError: the folder has no labels, or not BIO labels.
    """
    return tuple(label[2:] for label in _read_labels(folder) if label.startswith("B-"))


def check_quick(saved: SavedModel) -> Path:
    """The 8-bit weight file of a model, checked.

    Raises:
        PluginError: the model has none, or it is not whole.
    """
    if saved.config.quick is None or saved.quick is None:
        raise PluginError(
            f"{saved.folder}: has no {QUICK}: set precision to float32, or make one with "
            f"`streamproc export {saved.folder} --int8 --calibrate FILE --out FOLDER`"
        )
    check_weights(saved.quick, saved.config.quick)
    return saved.quick


def write_model(
    folder: Path,
    *,
    weights: Path,
    name: str,
    network: str,
    labels: Sequence[str],
    limits: Limits,
    metrics: Mapping[str, Any],
    card: str,
    settings: Mapping[str, Any] | None = None,
    tokenizer: Path | None = None,
    vocabulary: Vocabulary | None = None,
    kinds: Sequence[Modality] = (),
    crf: Crf | None = None,
    encoders: Mapping[str, Mapping[str, Any]] | None = None,
    temperature: float = 1.0,
    look_threshold: float | None = None,
) -> None:
    """Write a saved model's folder; see `SavedConfig` for the arguments.

    Args:
        folder: made if it is not there; files of the same names are replaced.
        weights: the weight file, named as it is to be named; may already be in the folder.
        tokenizer: the encoder's `tokenizer.json`.
        vocabulary: that the network looks words or characters up in.
        metrics: for `metrics.json`.
        card: for `README.md`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy(weights, folder / weights.name)
    if tokenizer is not None:
        copy(tokenizer, folder / TOKENIZER)
    if vocabulary is not None:
        stored = SavedVocabulary(words=vocabulary.words, characters=vocabulary.characters)
        write_json(folder / VOCABULARY, stored.model_dump(mode="json"))
    write_json(folder / LABELS, list(labels))
    named = {LABELS: True, TOKENIZER: tokenizer is not None, VOCABULARY: vocabulary is not None}
    config = SavedConfig.model_validate(
        {
            "name": name,
            "network": network,
            "settings": dict(settings or {}),
            "weights": {
                "file": weights.name,
                "bytes": weights.stat().st_size,
                "sha256": sha256(weights),
            },
            "kinds": tuple(kinds),
            "limits": limits,
            "crf": crf,
            "encoders": {role: dict(encoder) for role, encoder in (encoders or {}).items()},
            "files": {file: sha256(folder / file) for file, there in named.items() if there},
            "temperature": temperature,
            "look_threshold": look_threshold,
        }
    )
    _write_config(folder, config)
    write_json(folder / METRICS, metrics)
    (folder / CARD).write_text(card, encoding="utf-8")


def add_quick(folder: Path, *, agreement: float, f1: Mapping[View, tuple[float, float]]) -> Quick:
    """Name the folder's 8-bit weight file in its `config.json`; see `Quick` for the arguments."""
    weights = folder / QUICK
    size = weights.stat().st_size
    quick = Quick(bytes=size, sha256=sha256(weights), agreement=agreement, f1=dict(f1))
    _write_config(folder, _read_config(folder).model_copy(update={"quick": quick}))
    return quick


def _write_config(folder: Path, config: SavedConfig) -> None:
    write_json(folder / CONFIG, config.model_dump(mode="json", exclude_none=True))


def _read_vocabulary(folder: Path) -> Vocabulary | None:
    path = folder / VOCABULARY
    if not path.is_file():
        return None
    try:
        stored = SavedVocabulary.model_validate(read_json(path))
    except ValidationError:
        raise PluginError(f"{path}: expected {{words: [...], characters: ...}}") from None
    return Vocabulary(stored.words, stored.characters)


def _read_config(folder: Path) -> SavedConfig:
    path = folder / CONFIG
    raw = read_json(path)
    found = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise PluginError(
            f"{path}: format {found} is newer than {FORMAT}, which this release reads: "
            "upgrade streamproc-mner"
        )
    try:
        return SavedConfig.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise PluginError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _read_labels(folder: Path) -> tuple[str, ...]:
    path = folder / LABELS
    try:
        labels = _LABELS.validate_python(read_json(path))
    except ValidationError:
        raise PluginError(f"{path}: expected a list of labels") from None
    types = {label[2:] for label in labels if label != "O"}
    complete = {"O", *(f"{prefix}-{name}" for name in types for prefix in "BI")}
    if labels[:1] != ["O"] or set(labels) != complete or len(labels) != len(complete):
        raise PluginError(f"{path}: expected O first, then B- and I- of each type, each once; got {labels}")
    return tuple(labels)
