"""What plugins that serve with torch share: their configuration, the device, the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionModel, FusionPlugin, Modality
from streamproc_mner.collate import PostEncoder
from streamproc_mner.decoding import Decoder
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.nn.stored import crf_of, load_tagger
from streamproc_mner.nn.tagger import Output, Tagger
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.saved_model import SavedModel, read_model
from streamproc_mner.tagging import Encoder, Network, RawWeights, Scores, TaggerModel
from streamproc_mner.vocabulary import WordEncoder
from streamproc_mner.windows import Batch


class TorchTaggerConfig(BaseModel):
    """Configuration of a plugin that serves a saved tagger with torch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[Modality, ...] | None = Field(
        default=None,
        description="what of the pictures is fed to the model, none for text only; "
        "default: all it was trained on",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="bfloat16 is faster where the hardware has it, but a post's scores then depend "
        "a little on the batch it is in",
    )
    batch_tokens: int = Field(default=4096, ge=64, description="sub-tokens with padding in one run")
    handles: bool = Field(default=False, description="also tag the names of mentioned accounts (`@name`)")


class TaggerPlugin(FusionPlugin[TorchTaggerConfig]):
    """A family of networks that are served with torch. A plugin names itself and its network.

    Class attributes:
        network: the family's network; a saved model has its settings.
    """

    Config: ClassVar[type[BaseModel]] = TorchTaggerConfig
    network: ClassVar[type[Tagger]]

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        """Load a saved model with `model.safetensors`.

        Raises:
            PluginError: the folder is not whole or of another plugin, the device cannot be used, or
                `modalities` names one that the model was not trained on.
        """
        if model_dir is None:
            raise PluginError(f"{self.name} needs the folder of a saved model with model.safetensors")
        saved = read_model(model_dir, "model.safetensors", self.name)
        return served(saved, load_tagger(saved, self.network), self.config, device)


class TorchNetwork(Network):
    """A torch network on a device.

    Args:
        network: gives emissions.
        device: where it runs.
        precision: float32, or a shorter type for the parts that autocast runs in it.
    """

    def __init__(self, network: Tagger, device: torch.device, precision: torch.dtype) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._precision = precision

    def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        return _scores(self._run(batch, pictures, explain=False), {})

    def explain(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        output = self._run(batch, pictures, explain=True)
        weights = {
            name: RawWeights(told.over, told.values.float().cpu().numpy(), told.columns)
            for name, told in output.weights.items()
        }
        return _scores(output, weights)

    @torch.inference_mode()
    def _run(self, batch: Batch, pictures: PictureBatch | None, *, explain: bool) -> Output:
        inputs = inputs_of(batch, pictures, self._device)
        shorter = self._precision is not torch.float32
        with torch.autocast(self._device.type, dtype=self._precision, enabled=shorter):
            output: Output = self._network(inputs, explain=explain)
        return output


def _scores(output: Output, weights: Mapping[str, RawWeights]) -> Scores:
    joined = None if output.joined is None else output.joined.cpu().numpy()
    return Scores(output.emissions.float().cpu().numpy(), joined, weights)


def served(saved: SavedModel, network: Tagger, config: TorchTaggerConfig, device: str) -> TaggerModel:
    """A saved model with its network, ready to serve.

    Raises:
        PluginError: the device cannot be used, or `modalities` names one that the model was not
            trained on.
    """
    reads = network.reads
    chosen = _chosen(saved, network, config.modalities)
    return TaggerModel(
        TorchNetwork(network, usable_device(device), getattr(torch, config.precision)),
        encoder_for(network, saved),
        Decoder(saved.labels, crf_of(network.crf).scores()),
        kinds=tuple(kind for kind in reads.kinds if kind in chosen),
        picture=reads.picture,
        blind=reads.picture is not None and reads.picture.modality not in chosen,
        batch_tokens=config.batch_tokens,
        handles=config.handles,
        name=saved.config.name,
        version=saved.version,
    )


def encoder_for(network: Tagger, saved: SavedModel) -> Encoder:
    """What encodes posts for a network.

    Raises:
        PluginError: the tokenizer or the vocabulary that it needs is not in the folder.
    """
    reads = network.reads
    if (reads.positions == "words" or reads.characters) and saved.vocabulary is None:
        raise PluginError(f"{saved.folder}: vocabulary.json is missing; this network needs it")
    if reads.positions == "words" and saved.vocabulary is not None:
        return WordEncoder(saved.vocabulary, saved.config.limits)
    characters = saved.vocabulary if reads.characters else None
    return PostEncoder.from_file(saved.tokenizer, saved.config.limits, characters)


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


def _chosen(
    saved: SavedModel, network: Tagger, modalities: tuple[Modality, ...] | None
) -> tuple[Modality, ...]:
    """What is fed to the model."""
    picture = network.reads.picture
    trained: tuple[Modality, ...] = (*network.reads.kinds, *((picture.modality,) if picture else ()))
    if modalities is None:
        return trained
    unknown = [modality for modality in modalities if modality not in trained]
    if unknown:
        told = ", ".join(trained) or "none"
        raise PluginError(f"modalities: {', '.join(unknown)}: {saved.folder} was trained on {told}")
    return modalities
