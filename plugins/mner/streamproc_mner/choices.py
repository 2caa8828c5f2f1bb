"""What is chosen for a saved model after its training: written into its `config.json`."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from streamproc.errors import PluginError
from streamproc_mner.saved_config import SavedConfig
from streamproc_mner.saved_model import CONFIG


def store_choices(
    folder: Path, *, temperature: float | None = None, look_threshold: float | None = None
) -> None:
    """Write a temperature, a threshold, or both into a saved model; all else stays as it is.

    Args:
        folder: of the model.
        temperature: see `SavedConfig`; the one that is there stays without it.
        look_threshold: the same.

    Raises:
        PluginError: the folder has no `config.json` of a saved model, or it cannot be written.
    """
    path = folder / CONFIG
    chosen = {"temperature": temperature, "look_threshold": look_threshold}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        config |= {key: value for key, value in chosen.items() if value is not None}
        SavedConfig.model_validate_json(json.dumps(config))
        # Whole or not at all: a worker may be reading it.
        written = path.with_suffix(".tmp")
        written.write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.replace(path)
    except OSError as error:
        raise PluginError(
            f"{error.filename or path}: {error.strerror}: give a saved model's folder"
        ) from error
    except (ValidationError, ValueError, TypeError) as error:
        first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
        fault = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise PluginError(f"{path}: not of a saved model: {fault}") from error
