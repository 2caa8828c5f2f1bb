"""A network's weights on this machine: found by folder or name, and hashed. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final

from streamproc.errors import PluginError

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
_OTHERS: Final = ("*.json", "*.txt", "*.model")
"""What a tokenizer is made of; it takes part in what a network says."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder with config.json and model.safetensors.

    Attributes:
        folder: where they are.
        config: what config.json says.
        digest: sha256 (hex) of the weights and all that stands beside them.
    """

    folder: Path
    config: dict[str, Any]
    digest: str


def find_weights(engine: str, name: str, how_to_get: str) -> Weights:
    """The weights that an engine's settings name.

    Args:
        engine: whose, for messages.
        name: a folder, or a model in the cache of huggingface_hub, `OWNER/NAME` or `OWNER/NAME@REVISION`.
        how_to_get: what to do without them, for messages.

    Raises:
        PluginError: they are not here, or not whole; says what to do.
    """
    folder = _folder(name) if name else None
    if folder is None:
        what = f"no weights {name!r} on this machine" if name else "no weights are named"
        raise PluginError(f"{engine}: {what}: {how_to_get}")
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise PluginError(f"{engine}: no {file} in {folder}: {how_to_get}")
    return Weights(folder, _read_config(engine, folder / CONFIG), _digest(folder))


def _folder(name: str) -> Path | None:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    from streamproc_mner.encoders import encoder_folder  # brings huggingface_hub

    try:
        return encoder_folder(name)
    except PluginError:
        return None  # our message says what is to be done for a network that looks


def _read_config(engine: str, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PluginError(f"{engine}: {path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise PluginError(f"{engine}: {path}: expected a JSON object, got a {type(config).__name__}")
    return config


def _digest(folder: Path) -> str:
    digest = sha256()
    others = {path for pattern in _OTHERS for path in folder.glob(pattern)}
    for path in sorted({folder / WEIGHTS, *others}):
        with path.open("rb") as file:
            digest.update(f"{path.name} {file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
