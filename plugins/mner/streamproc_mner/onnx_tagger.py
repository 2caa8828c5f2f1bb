"""Serves an exported model with ONNX Runtime, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import onnxruntime
from pydantic import BaseModel, ConfigDict, Field

from streamproc.errors import PluginError
from streamproc.fusion.api import API_VERSION, FusionPlugin, Modality, Need
from streamproc_mner import __version__
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.visual_context import KINDS
from streamproc_mner.decoding import Decoder
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.saved_model import read_model
from streamproc_mner.tagging import Network, Scores, TaggerModel
from streamproc_mner.windows import Batch

INPUTS = ("ids", "mask", "kinds", "shapes")
OUTPUT = "emissions"


class OnnxTaggerConfig(BaseModel):
    """Configuration of `mner-onnx`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(default=0, ge=0, description="of one run; 0: one for each core")
    batch_tokens: int = Field(default=2048, ge=64, description="sub-tokens with padding in one run")
    handles: bool = Field(
        default=False,
        description="also tag the names of mentioned accounts (`@name`), which the post lists anyway",
    )


class OnnxNetwork(Network):
    """An exported network over text and visual context.

    Raises:
        PluginError: the file is not one that ONNX Runtime can load, or has other inputs.
    """

    def __init__(self, path: Path, threads: int) -> None:
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Waiting threads sleep: they share the machine with the pipeline.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base class
            raise PluginError(f"{path}: ONNX Runtime cannot load it: {error}") from error
        inputs = tuple(given.name for given in self._session.get_inputs())
        if set(inputs) != set(INPUTS):
            raise PluginError(f"{path}: expected inputs {', '.join(INPUTS)}; it has {', '.join(inputs)}")

    def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        """Emissions of words; such a network reads no pictures."""
        arrays = (batch.ids, batch.mask, batch.kinds, batch.shapes)
        (emissions,) = self._session.run([OUTPUT], dict(zip(INPUTS, arrays, strict=True)))
        positions = np.asarray(emissions, np.float32)
        return Scores(np.take_along_axis(positions, batch.firsts[..., None], axis=1))


class OnnxTagger(FusionPlugin[OnnxTaggerConfig]):
    """Text and typed visual context, on the CPU. Computes in float32 whatever the weights are stored in."""

    name: ClassVar[str] = "mner-onnx"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    Config: ClassVar[type[BaseModel]] = OnnxTaggerConfig
    modalities = dict.fromkeys(KINDS, Need.OPTIONAL)

    def load(self, model_dir: Path | None, device: str) -> TaggerModel:
        """Load an exported model.

        Raises:
            PluginError: the folder is not whole, or `device` is not the CPU.
        """
        if model_dir is None:
            raise PluginError("mner-onnx needs the folder of a saved model with model.onnx")
        if device != "cpu":
            raise PluginError(f"mner-onnx runs on the cpu, not on {device!r}: set device to cpu")
        saved = read_model(model_dir, "model.onnx")
        assert saved.config.crf is not None  # read_model sees to it
        kinds: tuple[Modality, ...] = saved.config.kinds
        return TaggerModel(
            OnnxNetwork(saved.weights, self.config.threads),
            PostEncoder.from_file(saved.tokenizer, saved.config.limits),
            Decoder(saved.labels, saved.config.crf.scores()),
            kinds=kinds,
            batch_tokens=self.config.batch_tokens,
            handles=self.config.handles,
            name=saved.config.name,
            version=saved.version,
        )
