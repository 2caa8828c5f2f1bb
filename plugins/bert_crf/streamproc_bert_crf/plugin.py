"""The plugin `bert-crf`: a saved BERT-CRF or BERT-softmax model, served with torch."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from streamproc.errors import PluginError
from streamproc.fusion.api import API_VERSION, FusionModel, FusionPlugin, Need
from streamproc_bert_crf import __version__
from streamproc_bert_crf.stored import WEIGHTS, load_bert_tagger
from streamproc_mner.data.visual_context import KINDS
from streamproc_mner.nn.stored import crf_of
from streamproc_mner.saved_model import read_model
from streamproc_mner.torch_serving import TorchTaggerConfig, torch_tagger


class BertCrf(FusionPlugin[TorchTaggerConfig]):
    """Text, with typed visual context in the input where the model was trained on it."""

    name: ClassVar[str] = "bert-crf"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    Config: ClassVar[type[BaseModel]] = TorchTaggerConfig
    modalities = dict.fromkeys(KINDS, Need.OPTIONAL)

    def load(self, model_dir: Path | None, device: str) -> FusionModel:
        """Load a saved model with `model.safetensors` and `network.json`.

        Raises:
            PluginError: the folder is not whole or of another plugin, the device cannot be used,
                or `kinds` names one that the model was not trained on.
        """
        if model_dir is None:
            raise PluginError("bert-crf needs the folder of a saved model with model.safetensors")
        saved = read_model(model_dir, WEIGHTS)
        network = load_bert_tagger(saved)
        return torch_tagger(saved, network, crf_of(network), self.config, device)
