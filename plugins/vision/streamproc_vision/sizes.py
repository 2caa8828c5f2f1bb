"""What config.json says of each network. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Blocks = Annotated[tuple[int, ...], Field(min_length=4, max_length=4)]

_RESNETS: Final = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}


class ResNetSizes(BaseModel):
    """A ResNet of bottleneck blocks (He et al. 2016), with torchvision's names of weights.

    timm publishes the same networks under the same names; its config.json says `architecture`.

    Attributes:
        blocks: in each of the four stages.
        width_per_group: 64; inside the blocks.
    """

    model_config = ConfigDict(frozen=True)

    network: Literal["resnet"]
    blocks: Blocks
    width_per_group: int = Field(default=64, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _from_timm(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        architecture = given.get("architecture")
        if isinstance(architecture, str) and architecture in _RESNETS:
            return {"network": "resnet", "blocks": _RESNETS[architecture]}
        return given


class GoogLeNetSizes(BaseModel):
    """GoogLeNet (Szegedy et al. 2015), of which there is one size.

    Attributes:
        transform_input: its weights were trained on pixels from -1 to 1, as those of torchvision.
    """

    model_config = ConfigDict(frozen=True)

    network: Literal["googlenet"]
    transform_input: bool = True


class DetectorSizes(BaseModel):
    """torchvision's Faster R-CNN on a ResNet with a feature pyramid.

    Attributes:
        network: the first release, or the second one, which has batch norms and convolutions in its heads.
        blocks: in each stage of the ResNet.
        width_per_group: 64; inside its blocks.
        channels: of the pyramid's maps.
        features: D of the box head.
        classes: with the background.
    """

    model_config = ConfigDict(frozen=True)

    network: Literal["fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2"]
    blocks: Blocks
    width_per_group: int = Field(default=64, ge=1)
    channels: int = Field(default=256, ge=1)
    features: int = Field(default=1024, ge=1)
    classes: int = Field(default=91, ge=2)


class BottomUpSizes(BaseModel):
    """The Bottom-Up Faster R-CNN (Anderson et al. 2018). The defaults are the published network's.

    Attributes:
        blocks: in each stage of the ResNet; the fourth one looks at regions.
        width_per_group: 64; inside its blocks.
        proposal_channels: inside the region proposal network.
        anchors: boxes that each cell of the map proposes.
        class_embedding: width of an object class beside the region, for its attributes.
        attribute_channels: inside the attribute head.
        shorter_side: of the picture, in pixels, unless its longer one would exceed `longer_side`.
        longer_side: see there.
        mean_bgr: taken from the pixels, 0 to 255.
        proposals_before: how many are compared with each other.
        proposals_after: how many regions are looked at.
        proposals_iou: above which the less certain one of two proposals goes.
        objects: names of the classes.
        attributes: names of the attributes.
    """

    model_config = ConfigDict(frozen=True)

    network: Literal["bottom_up"]
    blocks: Blocks = (3, 4, 23, 3)
    width_per_group: int = Field(default=64, ge=1)
    proposal_channels: int = Field(default=512, ge=1)
    anchors: int = Field(default=12, ge=1)
    class_embedding: int = Field(default=256, ge=1)
    attribute_channels: int = Field(default=512, ge=1)
    shorter_side: int = Field(default=600, ge=32)
    longer_side: int = Field(default=1000, ge=32)
    mean_bgr: tuple[float, float, float] = (102.9801, 115.9465, 122.7717)
    proposals_before: int = Field(default=6000, ge=1)
    proposals_after: int = Field(default=300, ge=1)
    proposals_iou: float = Field(default=0.7, gt=0, le=1)
    objects: tuple[str, ...] = Field(min_length=1)
    attributes: tuple[str, ...]
