"""From labels of entity spans without type to labels with one (yu2020-umt section 2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from streamproc_mner.labels import bio_labels

SPAN_LABELS: Final = bio_labels(["SPAN"])
"""Z: O, B and I of entities of whatever type."""


def without_type(label: str) -> str:
    """The label z of a label y; one that names no type stays as it is."""
    return f"{label[:2]}SPAN" if label[:2] in ("B-", "I-") else label


class Conversion(nn.Module):
    """The conversion matrix W^c (Z, Y): what the scores of span labels say of typed labels.

    At first W^c[j, k] = 1 / |C_j| where y_k is one of C_j, the typed labels that correspond to z_j,
    and 0 elsewhere (yu2020-umt section 2.4). A sub-token's share of the typed labels' emissions is
    (W_ESD t_i) W^c, summed over z: eq. 7 as printed takes the one z_i that is right, which is not
    known when a post is tagged.

    Args:
        span_labels: Z labels.
        labels: Y labels; `without_type` of each is among the former.
        trained: whether W^c changes in training.
    """

    def __init__(self, span_labels: Sequence[str], labels: Sequence[str], *, trained: bool) -> None:
        super().__init__()
        rows = [
            [float(without_type(label) == span_label) for label in labels] for span_label in span_labels
        ]
        corresponds = torch.tensor(rows)
        weight = corresponds / corresponds.sum(dim=1, keepdim=True).clamp(min=1)
        self.weight: Tensor
        if trained:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight, persistent=False)

    def forward(self, span_emissions: Tensor) -> Tensor:
        """(B, S, Z) emissions of span labels to their (B, S, Y) share of those of typed labels."""
        return span_emissions @ self.weight
