"""The network of a saved model, for analyses that look inside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamproc.errors import InputError, PluginError
from streamproc.fusion.discovery import find_model, find_plugin, model_names
from streamproc_mner.family import TaggerPlugin
from streamproc_mner.model_folder import plugin_of
from streamproc_mner.saved_model import SavedModel, read_model
from streamproc_mner.vocabulary import Vocabulary

if TYPE_CHECKING:
    from streamproc_mner.nn.tagger import Tagger


@dataclass(frozen=True, slots=True, eq=False)
class SavedNetwork:
    """A saved model's network in torch, in evaluation mode, and the device that it is to run on."""

    name: str
    saved: SavedModel
    network: Tagger
    device: str

    @property
    def vocabulary(self) -> Vocabulary:
        """Of its words.

        Raises:
            PluginError: it has none.
        """
        if self.saved.vocabulary is None:
            raise PluginError(f"{self.saved.folder}: vocabulary.json is missing; this network needs it")
        return self.saved.vocabulary


def folder_of(name: str) -> Path:
    """The folder of a saved model, by its path or by the name of an installed model.

    Raises:
        InputError: it is neither.
    """
    if name in model_names():
        return find_model(name).folder
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"{name!r} is no folder of a saved model and no installed model: a plugin alone has no network"
        )
    return folder


def load_network(name: str, folder: Path, device: str) -> SavedNetwork:
    """The network of a saved model with `model.safetensors`.

    Raises:
        PluginError: the folder is not whole, or its plugin is none of this library's.
    """
    from streamproc_mner.nn.stored import load_tagger

    plugin = find_plugin(plugin_of(folder))
    if not issubclass(plugin, TaggerPlugin):
        raise PluginError(
            f"{folder}: its plugin {plugin.name} has no network in torch that can be looked into"
        )
    saved = read_model(folder, "model.safetensors", plugin.name)
    return SavedNetwork(name, saved, load_tagger(saved, plugin.network_class()), device)
