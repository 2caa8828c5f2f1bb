"""A saved model with its network in torch, ready to serve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from streamproc.errors import PluginError
from streamproc.fusion.api import Modality
from streamproc_mner.collate import PostEncoder
from streamproc_mner.decoding import Decoder
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.nn.tagger import Output, Tagger
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.saved_model import SavedModel
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import Encoder, Network, RawWeights, Scores, TaggerModel
from streamproc_mner.vocabulary import Vocabulary, WordEncoder
from streamproc_mner.windows import Batch, Limits


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
            name: RawWeights(told.over, told.values.float().cpu().numpy(), told.columns, told.of_picture)
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
        Decoder(saved.labels, network.crf_scores, saved.config.temperature),
        kinds=tuple(kind for kind in reads.kinds if kind in chosen),
        picture=reads.picture,
        blind=reads.picture is not None and reads.picture.modality not in chosen,
        batch_tokens=config.batch_tokens,
        handles=config.handles,
        name=saved.config.name,
        version=saved.version,
        look_threshold=saved.config.look_threshold,
    )


def encoder_for(network: Tagger, saved: SavedModel) -> Encoder:
    """What encodes posts for a network.

    Raises:
        PluginError: the tokenizer or the vocabulary that it needs is not in the folder.
    """
    if network.reads_vocabulary and saved.vocabulary is None:
        raise PluginError(f"{saved.folder}: vocabulary.json is missing; this network needs it")
    return encoder_of(network, saved.tokenizer, saved.vocabulary, saved.config.limits)


def encoder_of(network: Tagger, tokenizer: Path, vocabulary: Vocabulary | None, limits: Limits) -> Encoder:
    """What encodes posts for a network, saved or not.

    Args:
        network: says what it reads.
        tokenizer: the encoder's `tokenizer.json`, for networks that read sub-tokens.
        vocabulary: for networks that look words or characters up.
        limits: of length.

    Raises:
        PluginError: the file is no tokenizer.
    """
    reads = network.reads
    if reads.positions == "words" and vocabulary is not None:
        return WordEncoder(vocabulary, limits)
    return PostEncoder.from_file(tokenizer, limits, vocabulary if reads.characters else None)


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
