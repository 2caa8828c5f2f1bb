"""Which plugin serves the folder of a saved model (entry-point group `streamproc.model_folders`)."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ValidationError

from streamproc.errors import PluginError
from streamproc_mner.saved_files import CONFIG


class _ServedWeights(BaseModel):
    file: str


class _Served(BaseModel):
    """What of `config.json` says who serves the model; the plugin reads and checks the rest."""

    network: str
    weights: _ServedWeights


def plugin_of(folder: Path) -> str:
    """The plugin that serves a saved model's folder.

    Raises:
        PluginError: the folder has no `config.json`, or one that names no plugin.
    """
    path = folder / CONFIG
    try:
        served = _Served.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        inside = "; did you mean its folder model?" if (folder / "model" / CONFIG).is_file() else ""
        raise PluginError(f"{folder}: no saved model: {CONFIG}: {error.strerror}{inside}") from error
    except (ValidationError, ValueError, RecursionError):
        raise PluginError(f"{path}: not of a saved model: expected network and weights in it") from None
    return "mner-onnx" if served.weights.file == "model.onnx" else served.network
