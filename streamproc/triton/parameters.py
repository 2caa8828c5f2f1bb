"""What a Triton model is told: parameters of its config.pbtxt, and the environment above them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from streamproc.errors import SettingsError
from streamproc.toml import read_toml_value

ENVIRONMENT_PREFIX: Final = "STREAMPROC_VISION__ENGINES__"


def model_parameters(
    name: str, parameters: Mapping[str, Mapping[str, str]], environment: Mapping[str, str]
) -> dict[str, Any]:
    """The parameters of a model: those of `[vision.engines.NAME]`, and `engine`.

    Lists and tables are written as in TOML; all else stays text, which the engine's `Config` reads.

    Args:
        name: the model's.
        parameters: of its config.pbtxt, as Triton gives them: `{"weights": {"string_value": "..."}}`.
        environment: `STREAMPROC_VISION__ENGINES__NAME__KEY` goes above them.

    Raises:
        SettingsError: a list or table cannot be read.
    """
    given = {key: value["string_value"] for key, value in parameters.items()}
    prefix = f"{ENVIRONMENT_PREFIX}{name.upper()}__"
    for variable, text in environment.items():
        if variable.startswith(prefix):
            given[variable.removeprefix(prefix).lower()] = text
    return {key: _parse(f"{name}.{key}", text) for key, text in given.items()}


def as_text(value: Any) -> str:
    """A value as `model_parameters` reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(key)} = {_toml(inner)}' for key, inner in value.items())}}}"
    return _toml(value)


def device_of(kind: str, device_id: str) -> str:
    """The device of a model instance, as torch names it.

    Args:
        kind: what Triton made of the instance group's kind: `GPU`, or another.
        device_id: number of the GPU.
    """
    return f"cuda:{device_id}" if kind == "GPU" else "cpu"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return as_text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, default=str)


def _parse(name: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return read_toml_value(text)
    except ValueError as error:
        raise SettingsError(
            f"vision.engines.{name}: {text!r} is not a TOML list or table: {error}"
        ) from None
