"""Where entities are, of whatever type, from the text alone (yu2020-umt section 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamproc_mner.nn.conversion import SPAN_LABELS, without_type
from streamproc_mner.nn.crf import CRF, UNKNOWN
from streamproc_mner.nn.cross_modal import CrossModalLayer
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.subtoken_labels import LabelPlacing, subtoken_labels


class SpanDetection(nn.Module):
    """T = Transformer(C), emissions W_ESD t_i of the labels B, I and O, and a CRF over them.

    P(z | S) of yu2020-umt section 2.4; the gold labels z are the words' labels without their types.

    Args:
        layer: the transformer layer.
        width: d of the layer.
        labels: of words, with types.
        placing: which sub-tokens carry labels.
    """

    def __init__(
        self, layer: CrossModalLayer, width: int, labels: Sequence[str], placing: LabelPlacing
    ) -> None:
        super().__init__()
        self._subtokens = subtoken_labels(placing, SPAN_LABELS)
        self.labels = self._subtokens.labels
        self.layer = layer
        self.output = nn.Linear(width, len(self.labels))
        self.crf = CRF(self.labels)
        span_labels = torch.tensor([SPAN_LABELS.index(without_type(label)) for label in labels])
        self.span_labels: Tensor
        self.register_buffer("span_labels", span_labels, persistent=False)

    def forward(self, encoded: Tensor, mask: Tensor) -> Tensor:
        """Emissions of all sub-tokens.

        Args:
            encoded: C (B, S, d).
            mask: (B, S) bool.

        Returns:
            (B, S, Z) float32.
        """
        hidden, _ = self.layer(encoded, encoded, mask)
        emissions: Tensor = self.output(hidden).float()
        return emissions

    def log_likelihood(self, emissions: Tensor, gold: Tensor, inputs: Inputs) -> Tensor:
        """log P(z | S) of each post.

        Args:
            emissions: (B, S, Z) of all sub-tokens.
            gold: (B, T) indices of the words' labels with types, `UNKNOWN` where not known.
            inputs: the windows.

        Returns:
            (B,).
        """
        spans = self.span_labels[gold.clamp(min=0)].where(gold != UNKNOWN, UNKNOWN)
        return self._subtokens.log_likelihood(self.crf, emissions, spans, inputs)
