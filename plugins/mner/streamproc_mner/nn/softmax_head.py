"""Labels that do not depend on each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from streamproc_mner.nn.crf import CRF


class SoftmaxHead(CRF):
    """p(y) = prod_i softmax(e_i)[y_i]: the "BERT" of yu2020-umt's baselines.

    That is a CRF whose start, transitions and end are 0 and stay so; training and serving then
    treat both heads alike. It has nothing to learn and nothing to store. Where a served post's most
    probable labels break BIO, the most probable ones that keep it are taken.

    Args:
        labels: BIO labels.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(labels)
        for name, scores in list(self.named_parameters()):
            delattr(self, name)
            self.register_buffer(name, torch.zeros(scores.shape), persistent=False)
