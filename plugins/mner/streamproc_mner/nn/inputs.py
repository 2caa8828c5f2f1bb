"""What a network is given: a batch of windows with their pictures, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from streamproc_mner.pictures import PictureBatch
from streamproc_mner.windows import Batch


@dataclass(frozen=True, slots=True, eq=False)
class PictureInputs:
    """See `streamproc_mner.pictures.PictureBatch`: (B, N, D), (B, N, 4), (B, N) bool."""

    features: Tensor
    boxes: Tensor
    mask: Tensor

    @property
    def seen(self) -> Tensor:
        """(B,) bool: whether the post has a picture."""
        return self.mask.any(dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """See `streamproc_mner.windows.Batch`.

    Attributes:
        ids, mask, kinds: (B, S).
        shapes: (B, S, 3).
        firsts: (B, T).
        words: (B, T) bool.
        characters: (B, T, C); `None` for networks that do not read them.
        picture: `None` for networks that read none.
    """

    ids: Tensor
    mask: Tensor
    kinds: Tensor
    shapes: Tensor
    firsts: Tensor
    words: Tensor
    characters: Tensor | None = None
    picture: PictureInputs | None = None


def inputs_of(
    batch: Batch, pictures: PictureBatch | None = None, device: torch.device | None = None
) -> Inputs:
    """Arrays as tensors on a device."""

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array, device=device)

    picture = None
    if pictures is not None:
        picture = PictureInputs(tensor(pictures.features), tensor(pictures.boxes), tensor(pictures.mask))
    return Inputs(
        tensor(batch.ids),
        tensor(batch.mask),
        tensor(batch.kinds),
        tensor(batch.shapes),
        tensor(batch.firsts),
        tensor(batch.words),
        None if batch.characters is None else tensor(batch.characters),
        picture,
    )


def at_words(positions: Tensor, firsts: Tensor) -> Tensor:
    """(B, S, W) of positions to (B, T, W) of words, by the position of each word's first sub-token."""
    return positions.gather(1, firsts.unsqueeze(-1).expand(-1, -1, positions.shape[-1]))
