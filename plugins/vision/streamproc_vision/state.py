"""Weights of a network from safetensors into its modules, all of them and no others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from streamproc.errors import PluginError
from streamproc_vision.network import Precision
from streamproc_vision.weights import WEIGHTS

DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def read_state(folder: Path) -> dict[str, Tensor]:
    """The tensors of a folder's model.safetensors.

    Raises:
        PluginError: the file is not one.
    """
    try:
        return load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise PluginError(f"{folder / WEIGHTS} cannot be read: {error}") from error


def fill(
    module: nn.Module, state: Mapping[str, Tensor], source: str, *, without: tuple[str, ...] = ()
) -> None:
    """Give a module its weights, and make it ready to be looked through.

    Args:
        module: of the same sizes.
        state: by the module's own names.
        source: of the weights, for messages.
        without: beginnings of names that the module has no use for.

    Raises:
        PluginError: weights are missing, of other shapes, or for another network.
    """
    wanted = {key: value for key, value in state.items() if not key.startswith(without)}
    try:
        report = module.load_state_dict(wanted, strict=False)
    except RuntimeError as error:  # shapes
        first = str(error).partition("\n")[2].strip().partition("\n")[0]
        raise PluginError(f"{source}: not the weights of this network: {first}") from error
    # Published before batches were counted, and nobody reads the count.
    missing = [key for key in report.missing_keys if not key.endswith("num_batches_tracked")]
    wrong = [f"{key} is missing" for key in missing]
    wrong += [f"{key} is not one of its weights" for key in report.unexpected_keys]
    if wrong:
        raise PluginError(
            f"{source}: not the weights of this network: {min(wrong)} ({len(wrong)} do not fit)"
        )
    module.eval().requires_grad_(False)
