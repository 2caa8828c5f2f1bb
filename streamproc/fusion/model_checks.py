"""What a plugin has to say of its model, for the worker to serve it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from streamproc.fusion.api import FusionModel, Need
from streamproc.vision.visuals import Modality

_MODALITIES: Final = get_args(Modality)


def model_fault(model: object) -> str | None:
    """What is wrong with what `load` gave, in words for the plugin's author; `None` for nothing."""
    if not isinstance(model, FusionModel):
        return f"load gave {type(model).__name__}, expected a FusionModel"
    if not isinstance(model.modalities, Mapping) or not all(
        name in _MODALITIES and isinstance(need, Need) for name, need in model.modalities.items()
    ):
        return f"modalities {model.modalities!r}: expected Need by name, of {', '.join(_MODALITIES)}"
    if not isinstance(model.widths, Mapping) or not all(
        name in _MODALITIES and type(width) is int and width > 0 for name, width in model.widths.items()
    ):
        return f"widths {model.widths!r}: expected a number of dimensions by modality"
    threshold = model.look_threshold
    if type(threshold) not in (int, float) or not 0.0 <= threshold <= 1.0:
        return f"look_threshold {threshold!r}: expected a number from 0 to 1"
    for name in ("model", "model_version"):
        told = getattr(model, name)
        if told is not None and (type(told) is not str or told != told.encode(errors="replace").decode()):
            return f"{name} {told!r}: expected text that can be written as UTF-8, or None"
    return None
