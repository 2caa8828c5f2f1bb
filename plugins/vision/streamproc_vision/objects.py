"""Objects in the picture with their attributes: the Bottom-Up detector (wang2022-ita section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import Modality, Value
from streamproc_vision.boxes_config import BoxesConfig, Most, Overlap, Probability
from streamproc_vision.network import NetworkEngine, sizes_of
from streamproc_vision.sizes import BottomUpSizes

if TYPE_CHECKING:
    from streamproc_vision.object_finder import ObjectFinder


class ObjectsConfig(BoxesConfig):
    """Which objects.

    Attributes:
        most_attributes: of an object; the likeliest ones.
        min_attribute: an attribute is kept if it is likelier.
    """

    most: Most = 100
    min_score: Annotated[Probability, Field(ge=0.01)] = 0.2
    iou: Overlap = 0.3
    most_attributes: int = Field(default=3, ge=0, le=3)
    min_attribute: Probability = 0.1


class ObjectsEngine(NetworkEngine[ObjectsConfig]):
    """Modality `objects`: tags with 0 to 3 attributes, scores and boxes, most certain first."""

    name = "objects"
    modality: ClassVar[Modality] = "objects"
    Config = ObjectsConfig
    batch = 4
    how_to_get = (
        "make them of the public Bottom-Up checkpoint with `streamproc vision convert pytorch_model.bin "
        "--network bottom_up --to FOLDER`"
    )
    _network: ObjectFinder

    def look(self, pictures: Sequence[Pixels]) -> list[Value]:
        """The objects of each picture."""
        return [self._network.objects(picture) for picture in pictures]

    def _build(self) -> None:
        from streamproc_vision.object_finder import ObjectFinder, load_bottom_up

        config = self.config
        self._network = ObjectFinder(
            load_bottom_up(self.weights, sizes_of(self.weights, BottomUpSizes, self.name)),
            self.device,
            config.precision,
            most=config.most,
            min_score=config.min_score,
            iou=config.iou,
            most_attributes=config.most_attributes,
            min_attribute=config.min_attribute,
        )
