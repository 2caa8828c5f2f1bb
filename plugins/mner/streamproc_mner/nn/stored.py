"""A network from a saved model's folder, and into one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from streamproc.errors import PluginError
from streamproc_mner.nn.positions import position_count
from streamproc_mner.nn.tagger import NetworkSettings, Parts, Tagger
from streamproc_mner.saved_model import CONFIG, SavedModel, write_model
from streamproc_mner.vocabulary import Vocabulary
from streamproc_mner.windows import Limits

WEIGHTS: Final = "model.safetensors"

ENCODER_TYPES: Final = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "distilbert",
        "electra",
        "mpnet",
        "roberta",
        "visual_bert",
        "xlm-roberta",
    }
)
"""What is built from a saved model's configuration: none of them gets anything else from a hub."""

_UNUSED: Final = (
    "_attn_implementation",
    "attn_implementation",
    "auto_map",
    "dtype",
    "torch_dtype",
    "return_dict",
)
"""Keys that say how to run a network, not what it is."""

_MOST_LAYERS: Final = 100

TaggerT = TypeVar("TaggerT", bound=Tagger)


def load_tagger(saved: SavedModel, network: type[TaggerT]) -> TaggerT:
    """Build the network of a saved model with `model.safetensors`, in evaluation mode.

    Args:
        saved: the folder.
        network: its class.

    Raises:
        PluginError: `config.json` does not describe such a network, or the weights are not its.
    """
    try:
        settings = network.Settings.model_validate(saved.config.settings)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(("settings", *map(str, first["loc"])))
        raise PluginError(f"{saved.folder / CONFIG}: {where}: {first['msg']}") from None
    make = partial(_make, network, settings, saved)
    try:
        weights = load_file(saved.weights)
    except SafetensorError as error:
        raise PluginError(f"{saved.weights}: not a safetensors file: {error}") from error
    # First without memory: settings may ask for a network that no machine has room for.
    with torch.device("meta"):
        described = make()
    check_window(str(saved.folder / CONFIG), saved.config.limits, described)
    _check(saved.weights, described, weights)
    built = make()
    built.load_state_dict(weights)
    return built.eval()


def save_tagger(
    network: Tagger,
    folder: Path,
    *,
    plugin: str,
    name: str,
    tokenizer: Path | None,
    vocabulary: Vocabulary | None,
    limits: Limits,
    metrics: Mapping[str, Any],
    card: str,
    temperature: float = 1.0,
) -> None:
    """Save a trained network so that its plugin can serve it; see `write_model`.

    Args:
        network: to be saved.
        folder: made if it is not there.
        plugin: that serves it.
        name: of the model.
        tokenizer: the encoder's `tokenizer.json`, where the network has an encoder.
        vocabulary: where the network looks words or characters up.
        limits: of length.
        metrics: for `metrics.json`.
        card: for `README.md`.
        temperature: see `SavedConfig`.

    Raises:
        PluginError: what was saved could not be served: the tokenizer or the vocabulary lacks, or a
            window is longer than an encoder takes.
    """
    if tokenizer is None and network.encoder_configs:
        raise PluginError(f"{folder}: give the tokenizer of the encoder that the network reads with")
    if vocabulary is None and network.reads_vocabulary:
        raise PluginError(f"{folder}: give the vocabulary that the network looks words or characters up in")
    check_window(f"{folder}: limits", limits, network)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    save_file({key: tensor.contiguous() for key, tensor in network.state_dict().items()}, weights)
    # safetensors makes a file for its owner alone; whoever may read the folder may read the weights.
    weights.chmod(folder.stat().st_mode & 0o666)
    write_model(
        folder,
        weights=weights,
        name=name,
        network=plugin,
        settings=network.settings.model_dump(mode="json"),
        labels=network.labels,
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        kinds=network.reads.kinds,
        limits=limits,
        encoders=network.encoder_configs,
        metrics=metrics,
        card=card,
        temperature=temperature,
    )


def described_encoder(saved: SavedModel, role: str) -> PreTrainedModel:
    """An encoder that `config.json` describes, with weights still to be loaded, without pooler.

    Raises:
        PluginError: it describes none with this role, or transformers knows no such encoder.
    """
    place = f"{saved.folder / CONFIG}: encoders.{role}"
    described = {
        key: value for key, value in (saved.config.encoders.get(role) or {}).items() if key not in _UNUSED
    }
    kind = described.get("model_type")
    if not isinstance(kind, str) or kind not in ENCODER_TYPES:
        raise PluginError(
            f"{place}: model_type is {kind!r}, expected one of {', '.join(sorted(ENCODER_TYPES))}"
        )
    layers = described.get("num_hidden_layers", 0)
    if not isinstance(layers, int) or layers > _MOST_LAYERS:
        raise PluginError(f"{place}: num_hidden_layers is {layers!r}, expected at most {_MOST_LAYERS}")
    try:
        config = AutoConfig.for_model(described.pop("model_type"), **described)
        encoder: PreTrainedModel = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    except Exception as error:  # transformers raises errors of many kinds over a description
        raise PluginError(f"{place}: {error}") from error
    return without_pooler(encoder)


def without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    """The same encoder; a pooler, which no tagger reads, is taken off."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.register_module("pooler", None)
    return encoder


def _make(network: type[TaggerT], settings: NetworkSettings, saved: SavedModel) -> TaggerT:
    """The network that a saved model describes, its weights still to be loaded."""
    parts = Parts(lambda role, _: described_encoder(saved, role), saved.vocabulary, read_vectors=None)
    made: Any = network
    built: TaggerT = made(settings, saved.labels, parts)
    return built


def check_window(place: str, limits: Limits, network: nn.Module) -> None:
    """A window that is longer than an encoder takes would fail at the first long post."""
    for module in network.modules():
        taken = position_count(module) if isinstance(module, PreTrainedModel) else None
        if taken is not None and taken < limits.window:
            raise PluginError(
                f"{place}: limits.window is {limits.window}, but the encoder takes {taken} sub-tokens: "
                f"set it to {taken} or less"
            )


def _check(path: Path, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Compare names and shapes, to say in one line what does not fit."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise PluginError(
            f"{path}: not the weights of the network that {CONFIG} describes: "
            f"{name} has the shape {found.get(name, 'none')}, expected {expected.get(name, 'none')} "
            f"({len(wrong)} of {len(expected | found)} do not fit)"
        )
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise PluginError(f"{path}: {name} holds what are no finite numbers: get the model again")
