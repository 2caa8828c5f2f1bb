"""From what the Bottom-Up network says of regions to objects with attributes. Imports torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from streamproc.vision.engine import Pixels
from streamproc.vision.visuals import DetectedObject, Objects
from streamproc_vision.bottom_up import BottomUp, RegionsSeen
from streamproc_vision.network import Precision
from streamproc_vision.pixels import bounded, thickened
from streamproc_vision.sizes import BottomUpSizes
from streamproc_vision.state import DTYPES, fill, read_state
from streamproc_vision.weights import Weights


class ObjectFinder:
    """Finds objects in one picture at a time: there is no padding that depends on other pictures.

    Args:
        network: with its weights.
        device: where it is to run.
        precision: of the network; boxes and probabilities are float32 always.
        most: how many objects at most.
        min_score: below which an object is left out.
        iou: above which the less certain one of two boxes of a class goes.
        most_attributes: of an object.
        min_attribute: below which an attribute is left out.
    """

    def __init__(
        self,
        network: BottomUp,
        device: str,
        precision: Precision,
        *,
        most: int,
        min_score: float,
        iou: float,
        most_attributes: int,
        min_attribute: float,
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = torch.device(device)
        self._dtype = DTYPES[precision]
        self._mean = torch.tensor(network.sizes.mean_bgr, device=device)
        self._most, self._min_score, self._iou = most, min_score, iou
        self._most_attributes, self._min_attribute = most_attributes, min_attribute

    @torch.inference_mode()
    def objects(self, picture: Pixels) -> Objects:
        """The objects of a picture (height, width, 3), most certain first."""
        sizes = self._network.sizes
        shown = bounded(thickened(picture), sizes.shorter_side, sizes.longer_side)
        height, width = shown.shape[:2]
        pixels = torch.tensor(shown[:, :, ::-1].copy(), device=self._device) - self._mean
        reduced = self._dtype is not torch.float32
        with torch.autocast(self._device.type, self._dtype, enabled=reduced):
            seen = self._network(pixels.permute(2, 0, 1)[None])
        rows, classes, boxes = self._find(seen, (height, width))
        attributes = self._network.attributes_of(seen.features[rows].float(), classes)
        scores = seen.scores[rows, classes]
        fractions = (boxes / boxes.new_tensor([width, height, width, height])).clamp(0, 1)
        found = zip(classes.tolist(), scores.tolist(), fractions.tolist(), attributes, strict=True)
        return Objects(
            tuple(
                DetectedObject(
                    sizes.objects[kind],
                    round(score, 4),
                    self._attributes(probabilities),
                    (round(box[0], 4), round(box[1], 4), round(box[2], 4), round(box[3], 4)),
                )
                for kind, score, box, probabilities in found
            )
        )

    def _find(self, seen: RegionsSeen, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Which regions are objects: their rows, classes and boxes, most certain first.

        By class, of boxes that overlap the less certain ones go; a region that is left under
        several classes is what it is most certainly.
        """
        rows, classes = (seen.scores >= self._min_score).nonzero(as_tuple=True)
        boxes = self._network.decode(seen, rows, classes, size)
        whole = (boxes[:, 2:] > boxes[:, :2]).all(-1)
        rows, classes, boxes = rows[whole], classes[whole], boxes[whole]
        order = batched_nms(boxes, seen.scores[rows, classes], classes, self._iou)
        first: dict[int, int] = {}
        for index, row in zip(order.tolist(), rows[order].tolist(), strict=True):
            first.setdefault(row, index)
        kept = torch.tensor(list(first.values())[: self._most], dtype=torch.long, device=rows.device)
        return rows[kept], classes[kept], boxes[kept]

    def _attributes(self, probabilities: Tensor) -> tuple[str, ...]:
        """The likeliest attributes, likeliest first."""
        values, indices = probabilities.sort(descending=True)
        names = self._network.sizes.attributes
        best = zip(values[: self._most_attributes].tolist(), indices.tolist(), strict=False)
        return tuple(names[index] for value, index in best if value > self._min_attribute)


def load_bottom_up(weights: Weights, sizes: BottomUpSizes) -> BottomUp:
    """The network with its weights.

    Raises:
        PluginError: the weights are not those of its config.json.
    """
    network = BottomUp(sizes)
    fill(network, read_state(weights.folder), str(weights.folder))
    return network
