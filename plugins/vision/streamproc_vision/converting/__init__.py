"""Public checkpoints as folders that the engines read: config.json and model.safetensors.

The files come from strangers and most are pickles, which can run any code when they are loaded. They are
read without that: torch's by its loader for weights alone, numpy's by one that knows arrays only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from safetensors.torch import save_file
from torch import nn

from streamproc.errors import InputError, PluginError
from streamproc_vision.converting.bottom_up_file import read_bottom_up, read_names
from streamproc_vision.converting.checkpoint import read_checkpoint
from streamproc_vision.converting.layout import State
from streamproc_vision.converting.torchvision_files import (
    read_detector,
    read_detector_v2,
    read_googlenet,
    read_resnet152,
)
from streamproc_vision.state import fill
from streamproc_vision.weights import CONFIG, WEIGHTS

Read = tuple[BaseModel, nn.Module, State]

_TORCHVISION: Final[dict[str, Callable[[State], Read]]] = {
    "resnet152": read_resnet152,
    "googlenet": read_googlenet,
    "fasterrcnn_resnet50_fpn": read_detector,
    "fasterrcnn_resnet50_fpn_v2": read_detector_v2,
}


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written: how many tensors, and their bytes."""

    tensors: int
    bytes: int


def convert(
    file: Path, network: str, folder: Path, *, objects: Path | None = None, attributes: Path | None = None
) -> Converted:
    """Write a public checkpoint in the form that engines read.

    Args:
        file: the checkpoint.
        network: `bottom_up`, or torchvision's name of one.
        folder: where to; made if it is not there.
        objects: for `bottom_up`, the names of its classes; `objects_vocab.txt` beside the checkpoint
            without it.
        attributes: likewise; `attributes_vocab.txt`.

    Raises:
        InputError: the checkpoint is not that network's, or asks for code to be run; or the folder holds
            weights already.
    """
    if any((folder / name).exists() for name in (CONFIG, WEIGHTS)):
        raise InputError(f"{folder} holds weights already: give another folder with --to")
    state = read_checkpoint(file)
    try:
        if network == "bottom_up":
            names = read_names(objects or file.parent / "objects_vocab.txt")
            qualities = read_names(attributes or file.parent / "attributes_vocab.txt")
            read: Read = read_bottom_up(state, names, qualities)
        else:
            read = _TORCHVISION[network](state)
        sizes, module, weights = read
        fill(module, weights, network)
    except (InputError, PluginError) as error:
        raise InputError(f"{file}: {error}") from error
    return _write(folder, sizes, module)


def _write(folder: Path, sizes: BaseModel, module: nn.Module) -> Converted:
    """The configuration last: a folder without it is not taken for a whole one."""
    state = {key: value.contiguous() for key, value in module.state_dict().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / WEIGHTS)
        (folder / CONFIG).write_text(sizes.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return Converted(len(state), (folder / WEIGHTS).stat().st_size)
