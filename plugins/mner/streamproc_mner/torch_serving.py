"""What plugins that serve with torch share: their configuration, the device, the network as a function."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionModel, Modality
from streamproc_mner.collate import Batch, PostEncoder
from streamproc_mner.decoding import Decoder
from streamproc_mner.saved_model import Crf, SavedModel
from streamproc_mner.tagging import ContextTaggerModel


class TorchTaggerConfig(BaseModel):
    """Configuration of a plugin that serves a saved tagger with torch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[Modality, ...] | None = Field(
        default=None,
        description="visual context that is fed to the model, none for text only; "
        "default: all it was trained on",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="bfloat16 is faster where the hardware has it, but a post's scores then depend "
        "a little on the batch it is in",
    )
    batch_tokens: int = Field(default=4096, ge=64, description="sub-tokens with padding in one run")
    handles: bool = Field(default=False, description="also tag the names of mentioned accounts (`@name`)")


class TorchNetwork:
    """A torch network as a function of a batch, on a device.

    Args:
        network: gives emissions for ids, mask, kinds and shapes.
        device: where it runs.
        precision: float32, or a shorter type for the parts that autocast runs in it.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._precision = precision

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """(B, S, L) emissions."""
        arrays = (batch.ids, batch.mask, batch.kinds, batch.shapes)
        inputs = [torch.from_numpy(array).to(self._device) for array in arrays]
        shorter = self._precision is not torch.float32
        with torch.autocast(self._device.type, dtype=self._precision, enabled=shorter):
            emissions: NDArray[np.float32] = self._network(*inputs).float().cpu().numpy()
        return emissions


def torch_tagger(
    saved: SavedModel, network: nn.Module, crf: Crf, config: TorchTaggerConfig, device: str
) -> FusionModel:
    """A saved model with its network and the scores of its CRF, ready to serve.

    Raises:
        PluginError: the device cannot be used, or `kinds` names one that the model was not trained on.
    """
    precision: torch.dtype = getattr(torch, config.precision)
    return ContextTaggerModel(
        TorchNetwork(network, usable_device(device), precision),
        PostEncoder.from_file(saved.tokenizer, saved.config.limits),
        Decoder(saved.labels, crf.scores()),
        kinds=_chosen_kinds(saved, config.kinds),
        batch_tokens=config.batch_tokens,
        handles=config.handles,
        name=saved.config.name,
        version=saved.version,
    )


def usable_device(name: str) -> torch.device:
    """The device of a name such as `cpu` or `cuda:1`.

    Raises:
        PluginError: there is none, or it cannot be used.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first_line = str(error).partition("\n")[0]
        raise PluginError(f"device {name!r} cannot be used: {first_line}") from error
    return device


def _chosen_kinds(saved: SavedModel, kinds: tuple[Modality, ...] | None) -> tuple[Modality, ...]:
    if kinds is None:
        return saved.config.kinds
    unknown = [kind for kind in kinds if kind not in saved.config.kinds]
    if unknown:
        trained = ", ".join(saved.config.kinds) or "none"
        raise PluginError(f"kinds: {', '.join(unknown)}: {saved.folder} was trained on {trained}")
    return kinds
