"""Additive attention: how much each of some queries looks at each of some vectors."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from streamproc_mner.nn.masked_softmax import masked_softmax

_AT_ONCE: Final = 2**25
"""Numbers in one block of projected pairs: 128 MiB of float32."""


class AdditiveAttention(nn.Module):
    """a_tk = softmax_k(w . tanh(W_q q_t + b + W_k x_k)), over the vectors that the mask names.

    This is the visual attention of Lu et al. 2018 (one query a post) and both attentions of Zhang
    et al. 2018 (one query a word). A bias next to w is the same for all k and would drop out of the
    softmax. So would the query itself if the two projections were concatenated under the tanh, as
    Zhang et al. print it: w . [tanh(W_k x_k); tanh(W_q q_t + b)] is a sum of which only the first
    half depends on k, and no word would guide anything. Their sum is taken instead.

    It costs Q * K * `width` numbers a post. They are computed in blocks of queries, so that without
    gradients no more than one block is in memory at a time.

    Args:
        query_width: of q.
        key_width: of x.
        width: of w, in which queries and vectors are compared.
    """

    def __init__(self, query_width: int, key_width: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_width, width)
        self.key = nn.Linear(key_width, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Weights.

        Args:
            queries: (B, Q, query_width).
            keys: (B, K, key_width).
            mask: (B, K) bool.

        Returns:
            (B, Q, K): each row sums to 1, or is 0 where the mask names nothing.
        """
        projected: Tensor = self.key(keys).unsqueeze(1)
        block = max(1, _AT_ONCE // projected.numel())
        scores = [
            self.score((part.unsqueeze(2) + projected).tanh_()).squeeze(-1)
            for part in self.query(queries).split(block, dim=1)
        ]
        return masked_softmax(torch.cat(scores, dim=1), mask.unsqueeze(1))
