"""A BERT-CRF network from a saved model's folder, and into one.

Beside the files of every saved model (`streamproc_mner.saved_model`) there is

    network.json     which network it is, and its head
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from streamproc.errors import PluginError
from streamproc.fusion.api import Modality
from streamproc_bert_crf.tagger import BertTagger, Head
from streamproc_mner.collate import Limits
from streamproc_mner.nn.stored import encoder_of
from streamproc_mner.saved_model import SavedModel, write_model

NETWORK: Final = "network.json"
WEIGHTS: Final = "model.safetensors"


class NetworkSettings(BaseModel):
    """`network.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Literal["bert-crf"]
    head: Head


def load_bert_tagger(saved: SavedModel) -> BertTagger:
    """Build the network of a saved model with `model.safetensors`, in evaluation mode.

    Raises:
        PluginError: the folder is of another plugin, or the weights are not those of the network
            that `network.json`, `labels.json` and `config.json` describe.
    """
    settings = _read_settings(saved.folder)
    network = BertTagger(encoder_of(saved), saved.labels, settings.head)
    try:
        weights = load_file(saved.weights)
    except SafetensorError as error:
        raise PluginError(f"{saved.weights}: not a safetensors file: {error}") from error
    _check(saved.weights, network, weights)
    network.load_state_dict(weights)
    return network.eval()


def save_bert_tagger(
    network: BertTagger,
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
    """Save a trained network so that the plugin `bert-crf` can serve it; see `write_model`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    save_file(network.state_dict(), weights)
    settings = NetworkSettings(network="bert-crf", head=network.head)
    (folder / NETWORK).write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")
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


def _read_settings(folder: Path) -> NetworkSettings:
    path = folder / NETWORK
    if not path.is_file():
        raise PluginError(
            f"{path}: missing, so this is no saved model of bert-crf; model.safetensors without "
            f"{NETWORK} is served by the plugin ita"
        )
    try:
        return NetworkSettings.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise PluginError(f"{path}: {where}: {first['msg']}; got {first['input']!r}") from None


def _check(path: Path, network: BertTagger, weights: Mapping[str, Tensor]) -> None:
    """Compare names and shapes, to say in one line what does not fit."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(name for name in expected | found if expected.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise PluginError(
            f"{path}: not the weights of this network with the head {network.head}: "
            f"{name} has the shape {found.get(name, 'none')}, expected {expected.get(name, 'none')} "
            f"({len(wrong)} of {len(expected | found)} do not fit)"
        )
