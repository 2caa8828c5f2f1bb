"""The files of a saved model's folder: whole or refused, read and written as JSON."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

from streamproc.errors import PluginError
from streamproc_mner.saved_config import Quick, Weights

CONFIG: Final = "config.json"
LABELS: Final = "labels.json"
TOKENIZER: Final = "tokenizer.json"
VOCABULARY: Final = "vocabulary.json"

_PICKLES: Final = frozenset((".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib"))


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder in which any file looks like a pickle, also below it."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICKLES:
            raise PluginError(
                f"{path}: looks like a pickle, which can run any code when it is loaded; "
                "expected model.onnx or model.safetensors and no such file beside it"
            )


def check_file(path: Path, expected: str) -> None:
    """Refuse a file that has not the expected sha256."""
    present(path)
    if sha256(path) != expected:
        raise PluginError(
            f"{path}: not the file that {CONFIG} names (sha256 {expected[:12]}…): "
            "changed, corrupt or of another model; get it again"
        )


def check_weights(path: Path, expected: Weights | Quick) -> None:
    """Refuse a weight file that is not the expected one."""
    present(path)
    size = path.stat().st_size
    if size != expected.bytes or sha256(path) != expected.sha256:
        raise PluginError(
            f"{path}: {size} bytes that are not the {expected.bytes} which {CONFIG} names "
            f"(sha256 {expected.sha256[:12]}…): corrupt, cut short or of another model; get it again"
        )


def present(path: Path) -> None:
    """Refuse a folder without this file."""
    if not path.is_file():
        raise PluginError(
            f"{path}: missing; a saved model has {CONFIG}, {LABELS}, its weights, "
            f"and {TOKENIZER} or {VOCABULARY}"
        )


def read_json(path: Path) -> Any:
    """What stands in a file."""
    present(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PluginError(f"{path}: not readable as JSON: {error}") from error


def write_json(path: Path, value: object) -> None:
    """Write a file."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """A file's, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy(source: Path, target: Path) -> None:
    """Copy a file, unless it is there already."""
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)
