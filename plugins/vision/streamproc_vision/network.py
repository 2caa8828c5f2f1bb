"""What all engines of this package share: weights, precision, version. Imports no torch."""

from __future__ import annotations

import re
from abc import abstractmethod
from hashlib import sha256
from importlib import metadata
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from streamproc.errors import PluginError
from streamproc.vision.engine import Engine
from streamproc_vision import __version__
from streamproc_vision.weights import CONFIG, Weights, find_weights

Precision = Literal["float32", "bfloat16", "float16"]

_DEVICE: Final = re.compile(r"cpu|cuda(:\d+)?")
_LIBRARIES: Final = ("torch", "torchvision", "transformers", "pillow")


class NetworkConfig(BaseModel):
    """What all engines here take; all but `weights` is part of their version.

    Attributes:
        weights: a folder with config.json and model.safetensors, or a model in the cache of
            huggingface_hub by name.
        precision: of the network's arithmetic. `bfloat16` is about twice as fast on a CPU that has it;
            `float16` needs a GPU. Values then depend a little on the pictures beside them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: str
    precision: Precision = "float32"


NetworkConfigT = TypeVar("NetworkConfigT", bound=NetworkConfig)


class NetworkEngine(Engine[NetworkConfigT], Generic[NetworkConfigT]):
    """An engine on one network of torch.

    Class attributes:
        how_to_get: what to do where its weights are not.
    """

    how_to_get: ClassVar[str]

    def __init__(self, config: NetworkConfigT, device: str = "cpu") -> None:
        super().__init__(config, device)
        if not _DEVICE.fullmatch(device):
            raise PluginError(f"{self.name}: device is {device!r}, expected cpu, cuda or cuda:N")
        if config.precision == "float16" and device == "cpu":
            raise PluginError(
                f"{self.name}: float16 needs a GPU: set precision to bfloat16 or float32, or device to cuda"
            )
        hint = f"{self.how_to_get}; vision.engines.{self.name}.weights names the model or folder"
        self.weights: Weights = find_weights(self.name, config.weights, hint)
        self.version = _version(self.name, self.weights, config)

    def load(self) -> None:
        """Read the weights and put the network on its device: seconds.

        Raises:
            PluginError: the weights are not those of the network, or the device is not there.
        """
        import torch

        number = int(self.device.partition(":")[2] or 0)
        if self.device != "cpu" and number >= torch.cuda.device_count():
            raise PluginError(
                f"{self.name}: torch sees no {self.device} here: set vision.engines.{self.name}.device to "
                "cpu, or install a torch for the GPU"
            )
        self._build()

    @abstractmethod
    def _build(self) -> None:
        """Make the network, with its weights, on its device."""


SizesT = TypeVar("SizesT", bound=BaseModel)


def sizes_of(weights: Weights, model: type[SizesT], engine: str) -> SizesT:
    """What config.json says of a network, checked.

    Raises:
        PluginError: it describes another network, or none.
    """
    try:
        return model.model_validate(weights.config)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "it"
        raise PluginError(
            f"{engine}: {weights.folder / CONFIG} does not describe such a network: {key}: {first['msg']}"
        ) from None


def _version(engine: str, weights: Weights, config: NetworkConfig) -> str:
    """Hash of engine, weights, libraries and every parameter, but not of where the weights lie."""
    parts: dict[str, Any] = {
        "engine": (engine, __version__),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        "weights": weights.digest,
        "parameters": config.model_dump(exclude={"weights"}),
    }
    return sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
