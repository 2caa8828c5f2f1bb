"""A context tagger from a saved model's folder, and into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, PreTrainedModel

from streamproc.errors import PluginError
from streamproc.fusion.api import Modality
from streamproc_mner.collate import Limits
from streamproc_mner.nn.context_tagger import ContextTagger
from streamproc_mner.nn.crf import CRF
from streamproc_mner.saved_model import Crf, SavedModel, write_model


def load_context_tagger(saved: SavedModel) -> ContextTagger:
    """Build the network of a saved model with `model.safetensors`, in evaluation mode.

    Raises:
        PluginError: the weights are not those of the network that `config.json` describes.
    """
    network = ContextTagger(encoder_of(saved), saved.labels)
    try:
        network.load_state_dict(load_file(saved.weights))
    except (SafetensorError, RuntimeError) as error:
        raise PluginError(f"{saved.weights}: not the weights of this network: {error}") from error
    return network.eval()


def encoder_of(saved: SavedModel) -> PreTrainedModel:
    """The encoder that `config.json` describes, with weights still to be loaded.

    Raises:
        PluginError: transformers knows no such encoder.
    """
    described = dict(saved.config.encoder or {})
    try:
        config = AutoConfig.for_model(described.pop("model_type"), **described)
        encoder: PreTrainedModel = AutoModel.from_config(config)
    except (KeyError, ValueError, TypeError) as error:
        raise PluginError(f"{saved.folder}: config.json: encoder: {error}") from error
    if hasattr(encoder, "pooler"):
        encoder.pooler = None
    return encoder


def save_context_tagger(
    network: ContextTagger,
    folder: Path,
    *,
    name: str,
    labels: Sequence[str],
    tokenizer: Path,
    kinds: Sequence[Modality],
    limits: Limits,
    metrics: Mapping[str, Any],
    card: str,
) -> None:
    """Save a trained network so that the plugin `ita` can serve it; see `write_model`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "model.safetensors"
    save_file(network.state_dict(), weights)
    write_model(
        folder,
        weights=weights,
        name=name,
        labels=labels,
        tokenizer=tokenizer,
        kinds=kinds,
        limits=limits,
        encoder=network.encoder.config.to_diff_dict(),
        metrics=metrics,
        card=card,
    )


class WithCrf(Protocol):
    """A network whose output layer is a CRF."""

    crf: CRF


def crf_of(network: WithCrf) -> Crf:
    """The scores of a network's CRF, for decoding without torch."""
    crf = network.crf
    return Crf(
        start=tuple(crf.start.tolist()),
        transitions=tuple(tuple(row) for row in crf.transitions.tolist()),
        end=tuple(crf.end.tolist()),
    )
