"""The folder of a saved model: what is in it, reading it with care, writing it.

    config.json      what the model is: format, weights with their sha256, the network and its settings,
                     kinds of visual context, limits of length, the CRF's scores (ONNX) or the
                     encoders' configurations (torch)
    labels.json      the BIO labels, in the order of the emissions
    tokenizer.json   of the encoder, where there is one
    vocabulary.json  words and characters, where the network looks them up
    model.onnx       weights, or
    model.safetensors
    metrics.json     measured scores
    README.md        the model card

Pickles are refused: loading one runs whatever it says.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from streamproc.errors import PluginError
from streamproc.fusion.api import Modality
from streamproc_mner.saved_config import FORMAT, Crf, SavedConfig, SavedVocabulary, Weights, WeightsFile
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import Limits

CONFIG: Final = "config.json"
LABELS: Final = "labels.json"
TOKENIZER: Final = "tokenizer.json"
VOCABULARY: Final = "vocabulary.json"
METRICS: Final = "metrics.json"
CARD: Final = "README.md"

_PICKLES: Final = ("*.pkl", "*.pickle", "*.pt", "*.pth", "*.bin", "*.ckpt", "*.joblib")
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
    def version(self) -> str:
        """Changes with the weights."""
        return self.config.weights.sha256[:12]


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
    _refuse_pickles(folder)
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
    if config.crf is not None:
        _check_crf(folder, config.crf, len(labels))
    vocabulary = _read_vocabulary(folder)
    reads_words = weights == "model.safetensors" and not config.encoders
    _present(folder / (VOCABULARY if reads_words else TOKENIZER))
    _check_weights(folder / weights, config.weights)
    return SavedModel(folder, config, labels, vocabulary)


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
    _copy(weights, folder / weights.name)
    if tokenizer is not None:
        _copy(tokenizer, folder / TOKENIZER)
    if vocabulary is not None:
        stored = SavedVocabulary(words=vocabulary.words, characters=vocabulary.characters)
        _write_json(folder / VOCABULARY, stored.model_dump(mode="json"))
    config = SavedConfig.model_validate(
        {
            "name": name,
            "network": network,
            "settings": dict(settings or {}),
            "weights": {
                "file": weights.name,
                "bytes": weights.stat().st_size,
                "sha256": _sha256(weights),
            },
            "kinds": tuple(kinds),
            "limits": limits,
            "crf": crf,
            "encoders": {role: dict(encoder) for role, encoder in (encoders or {}).items()},
        }
    )
    _write_json(folder / CONFIG, config.model_dump(mode="json", exclude_none=True))
    _write_json(folder / LABELS, list(labels))
    _write_json(folder / METRICS, metrics)
    (folder / CARD).write_text(card, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)


def _read_vocabulary(folder: Path) -> Vocabulary | None:
    path = folder / VOCABULARY
    if not path.is_file():
        return None
    try:
        stored = SavedVocabulary.model_validate(_read_json(path))
    except ValidationError:
        raise PluginError(f"{path}: expected {{words: [...], characters: ...}}") from None
    return Vocabulary(stored.words, stored.characters)


def _refuse_pickles(folder: Path) -> None:
    for pattern in _PICKLES:
        for path in folder.glob(pattern):
            raise PluginError(
                f"{path}: looks like a pickle, which can run any code when it is loaded; "
                "expected model.onnx or model.safetensors and no such file beside it"
            )


def _read_config(folder: Path) -> SavedConfig:
    path = folder / CONFIG
    raw = _read_json(path)
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
        labels = _LABELS.validate_python(_read_json(path))
    except ValidationError:
        raise PluginError(f"{path}: expected a list of labels") from None
    types = {label[2:] for label in labels if label != "O"}
    complete = {"O", *(f"{prefix}-{name}" for name in types for prefix in "BI")}
    if labels[:1] != ["O"] or set(labels) != complete or len(labels) != len(complete):
        raise PluginError(f"{path}: expected O first, then B- and I- of each type, each once; got {labels}")
    return tuple(labels)


def _check_crf(folder: Path, crf: Crf, count: int) -> None:
    sizes = [len(crf.start), len(crf.end), len(crf.transitions), *map(len, crf.transitions)]
    if any(size != count for size in sizes):
        raise PluginError(f"{folder / CONFIG}: crf is not of {count} labels, as {LABELS} is")


def _check_weights(path: Path, expected: Weights) -> None:
    _present(path)
    size = path.stat().st_size
    if size != expected.bytes or _sha256(path) != expected.sha256:
        raise PluginError(
            f"{path}: {size} bytes that are not the {expected.bytes} which {CONFIG} names "
            f"(sha256 {expected.sha256[:12]}…): corrupt, cut short or of another model; get it again"
        )


def _present(path: Path) -> None:
    if not path.is_file():
        raise PluginError(
            f"{path}: missing; a saved model has {CONFIG}, {LABELS}, its weights, "
            f"and {TOKENIZER} or {VOCABULARY}"
        )


def _read_json(path: Path) -> Any:
    _present(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PluginError(f"{path}: not readable as JSON: {error}") from error


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
