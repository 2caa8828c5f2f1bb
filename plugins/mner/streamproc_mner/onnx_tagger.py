"""Serves an exported model with ONNX Runtime, without torch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import onnxruntime
from pydantic import BaseModel, ConfigDict, Field

from streamproc.errors import PluginError
from streamproc.fusion.api import API_VERSION, FusionPlugin, Modality, Need
from streamproc_mner import __version__
from streamproc_mner.collate import PostEncoder
from streamproc_mner.cores import Cores, shares, usable_cores
from streamproc_mner.data.visual_context import KINDS
from streamproc_mner.decoding import Decoder
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.saved_model import SavedModel, check_quick, read_model
from streamproc_mner.self_check import METADATA, fault_of
from streamproc_mner.tagging import Encoder, Floats, Network, Scores, TaggerModel
from streamproc_mner.windows import Batch, Ints

INPUTS = ("ids", "mask", "kinds", "shapes")
OUTPUT = "emissions"

_log = logging.getLogger(__name__)


class OnnxTaggerConfig(BaseModel):
    """Configuration of `mner-onnx`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(
        default=0, ge=0, le=1024, description="that share the posts of a batch; 0: one for each core"
    )
    batch_tokens: int = Field(
        default=2048, ge=64, le=65_536, description="sub-tokens with padding in one run"
    )
    precision: Literal["auto", "float32", "int8"] = Field(
        default="auto",
        description="int8: the model's 8-bit file, quicker and a little less exact; auto: that, where the "
        "model has one and this processor computes it rightly",
    )
    handles: bool = Field(
        default=False,
        description="also tag the names of mentioned accounts (`@name`), which the post lists anyway",
    )


class OnnxNetwork(Network):
    """An exported network over text and visual context.

    Each core computes some of a batch's posts, by itself: cores that share each product wait for one
    another hundreds of times a batch (a fifth of the time on two, more when one has other work, too).

    Args:
        path: of the file.
        threads: that share a batch; 0 for one for each core.
        careful: compute products of 8-bit integers so that none overflows, on whatever processor.

    Raises:
        PluginError: the file is not one that ONNX Runtime can load, or has other inputs.
    """

    def __init__(self, path: Path, threads: int, *, careful: bool = False) -> None:
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Processors without VNNI overflow in products of 8-bit integers unless they take slower ones.
        options.add_session_config_entry("session.x64quantprecision", "1" if careful else "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base class
            raise PluginError(f"{path}: ONNX Runtime cannot load it: {error}") from error
        inputs = tuple(given.name for given in self._session.get_inputs())
        if set(inputs) != set(INPUTS):
            raise PluginError(f"{path}: expected inputs {', '.join(INPUTS)}; it has {', '.join(inputs)}")

        self._cores = Cores(threads or usable_cores())

    @property
    def metadata(self) -> Mapping[str, str]:
        """What stands in the file beside the network."""
        told: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return told

    def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        """Emissions of words; such a network reads no pictures."""
        parts = shares(batch.mask.sum(axis=1), self._cores.count)
        return Scores(np.concatenate(self._cores.each(partial(self._emissions, batch), parts)))

    def close(self) -> None:
        self._cores.close()

    def _emissions(self, batch: Batch, rows: slice) -> Floats:
        """Of the words of some rows, which are no wider than the longest of them needs."""
        width = int(batch.mask[rows].sum(axis=1).max(initial=1))
        feeds = {name: values[rows, :width] for name, values in feeds_of(batch).items()}
        (emissions,) = self._session.run([OUTPUT], feeds)
        positions = np.asarray(emissions, np.float32)
        return np.take_along_axis(positions, batch.firsts[rows, :, None], axis=1)


def feeds_of(batch: Batch) -> dict[str, Ints]:
    """A batch under the names of the network's inputs."""
    return dict(zip(INPUTS, (batch.ids, batch.mask, batch.kinds, batch.shapes), strict=True))


class OnnxTagger(FusionPlugin[OnnxTaggerConfig]):
    """Text and typed visual context, on the CPU.

    Computes in float32, whatever the weights are stored in, or in 8-bit integers (`precision`).
    """

    name: ClassVar[str] = "mner-onnx"
    version: ClassVar[str] = __version__
    api_version: ClassVar[int] = API_VERSION
    Config: ClassVar[type[BaseModel]] = OnnxTaggerConfig
    modalities = dict.fromkeys(KINDS, Need.OPTIONAL)

    def load(self, model_dir: Path | None, device: str) -> TaggerModel:
        """Load an exported model.

        Raises:
            PluginError: the folder is not whole, `device` is not the CPU, or `precision` is int8 and
                the model has no such file or this processor computes it wrongly.
        """
        if model_dir is None:
            raise PluginError("mner-onnx needs the folder of a saved model with model.onnx")
        if device != "cpu":
            raise PluginError(f"mner-onnx runs on the cpu, not on {device!r}: set device to cpu")
        saved = read_model(model_dir, "model.onnx")
        assert saved.config.crf is not None  # read_model sees to it
        kinds: tuple[Modality, ...] = saved.config.kinds
        encoder = PostEncoder.from_file(saved.tokenizer, saved.config.limits)
        decoder = Decoder(saved.labels, saved.config.crf.scores(), saved.config.temperature)
        quick = self._quick(saved, encoder, decoder)
        return TaggerModel(
            quick or OnnxNetwork(saved.weights, self.config.threads),
            encoder,
            decoder,
            kinds=kinds,
            batch_tokens=self.config.batch_tokens,
            handles=self.config.handles,
            name=saved.config.name,
            version=saved.quick_version if quick and saved.quick_version else saved.version,
            look_threshold=saved.config.look_threshold,
        )

    def _quick(self, saved: SavedModel, encoder: Encoder, decoder: Decoder) -> OnnxNetwork | None:
        """The 8-bit network, if it is to be used and can be relied on here."""
        precision = self.config.precision
        if precision == "float32" or (precision == "auto" and saved.config.quick is None):
            return None
        path = check_quick(saved)
        fault: str | None = None
        for careful in (False, True):
            network = OnnxNetwork(path, self.config.threads, careful=careful)
            fault = fault_of(network, network.metadata.get(METADATA, ""), encoder, decoder)
            if fault is None:
                return network
        if precision == "int8":
            raise PluginError(f"{path}: cannot be relied on here: {fault}: set precision to float32")
        _log.warning("%s: %s: serving %s in its place", path, fault, saved.weights.name)
        return None
