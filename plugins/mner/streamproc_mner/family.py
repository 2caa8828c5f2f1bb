"""What the plugins of all model families share. torch is imported only when a model is loaded."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionModel, FusionPlugin
from streamproc_mner.serving_config import TorchTaggerConfig

if TYPE_CHECKING:
    from streamproc_mner.nn.tagger import Tagger


class TaggerPlugin(FusionPlugin[TorchTaggerConfig]):
    """A family of networks that are served with torch. A plugin names itself and its network.

    Class attributes:
        network: the family's network, `module:Class`; a saved model has its settings.
    """

    Config: ClassVar[type[BaseModel]] = TorchTaggerConfig
    network: ClassVar[str]

    @classmethod
    def network_class(cls) -> type[Tagger]:
        """The family's network."""
        module, name = cls.network.split(":")
        found: type[Tagger] = getattr(import_module(module), name)
        return found

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        """Load a saved model with `model.safetensors`.

        Raises:
            PluginError: the folder is not whole or of another plugin, the device cannot be used, or
                `modalities` names one that the model was not trained on.
        """
        if model_dir is None:
            raise PluginError(f"{self.name} needs the folder of a saved model with model.safetensors")
        from streamproc_mner.nn.stored import load_tagger
        from streamproc_mner.saved_model import read_model
        from streamproc_mner.torch_serving import served

        saved = read_model(model_dir, "model.safetensors", self.name)
        return served(saved, load_tagger(saved, self.network_class()), self.config, device)
