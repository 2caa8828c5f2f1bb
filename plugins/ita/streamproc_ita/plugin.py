"""The plugin `ita`: a saved ITA model (wang2022-ita), served with torch.

The network is `streamproc_mner.nn.context_tagger.ContextTagger`; the objective that trains it,
with cross-view alignment, is `streamproc_mner.training.objective`.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from streamproc.errors import PluginError
from streamproc.fusion.api import API_VERSION, FusionModel, FusionPlugin, Need
from streamproc_ita import __version__
from streamproc_mner.data.visual_context import KINDS
from streamproc_mner.nn.stored import crf_of, load_context_tagger
from streamproc_mner.saved_model import read_model
from streamproc_mner.torch_serving import TorchTaggerConfig, torch_tagger


class Ita(FusionPlugin[TorchTaggerConfig]):
    """Text and typed visual context, one forward for posts with pictures and posts without."""

    name: ClassVar[str] = "ita"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    Config: ClassVar[type[BaseModel]] = TorchTaggerConfig
    modalities = dict.fromkeys(KINDS, Need.OPTIONAL)

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        """Load a saved model with `model.safetensors`.

        Raises:
            PluginError: the folder is not whole, the device cannot be used, or `kinds` names one
                that the model was not trained on.
        """
        if model_dir is None:
            raise PluginError("ita needs the folder of a saved model with model.safetensors")
        saved = read_model(model_dir, "model.safetensors")
        network = load_context_tagger(saved)
        return torch_tagger(saved, network, crf_of(network), self.config, device)
