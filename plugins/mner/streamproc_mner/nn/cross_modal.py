"""Attention of one sequence over another, in a transformer layer (yu2020-umt section 2.3)."""

from __future__ import annotations

from torch import Tensor, nn


class CrossModalLayer(nn.Module):
    """A cross-modal transformer layer: queries of one sequence, keys and values of another.

    With queries V and keys R, m heads and width d (yu2020-umt section 2.3.1),

        CA_i(V, R) = softmax((W_qi V)^T (W_ki R) / sqrt(d / m)) (W_vi R)^T
        MH-CA(V, R) = W' [CA_1(V, R), ..., CA_m(V, R)]^T
        P~ = LN(V + MH-CA(V, R))                                    (eq. 1)
        P  = LN(P~ + FFN(P~))                                       (eq. 2)

    Of a sequence over itself it is a standard transformer layer. As in BERT, all of it has biases,
    the feed-forward network a GELU, and each sublayer's output dropout.

    Args:
        width: d, a multiple of `heads`.
        heads: m.
        feed_forward: width inside the feed-forward network.
        dropout: also of the attention.
    """

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward), nn.GELU(), nn.Linear(feed_forward, width)
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, queries: Tensor, keys: Tensor, mask: Tensor, *, explain: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """P of V and R.

        Args:
            queries: V (B, Q, d).
            keys: R (B, K, d).
            mask: (B, K) bool, true for keys that are there: one at least in each row.
            explain: also give the attention.

        Returns:
            (B, Q, d), and with `explain` the attention (B, Q, K), its mean over heads.
        """
        attended, attention = self.attention(
            queries, keys, keys, key_padding_mask=~mask, need_weights=explain
        )
        middle = self.attention_norm(queries + self.dropout(attended))
        return self.feed_forward_norm(middle + self.dropout(self.feed_forward(middle))), attention


class ImageAwareWords(nn.Module):
    """Two coupled cross-modal layers (yu2020-umt section 2.3.1).

    P = CMT(V, R) has the words' view of each cell; A = CMT'(R, P) brings it back to the words:
    a_i for each r_i.

    Args:
        over_words: CMT.
        over_cells: CMT'.
    """

    def __init__(self, over_words: CrossModalLayer, over_cells: CrossModalLayer) -> None:
        super().__init__()
        self.over_words = over_words
        self.over_cells = over_cells

    def forward(
        self, words: Tensor, word_mask: Tensor, cells: Tensor, cell_mask: Tensor, *, explain: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """A of R and V.

        Args:
            words: R (B, S, d).
            word_mask: (B, S) bool.
            cells: V (B, N, d).
            cell_mask: (B, N) bool.
            explain: also give the attention of A over P.

        Returns:
            (B, S, d), and with `explain` the attention (B, S, N).
        """
        seen, _ = self.over_words(cells, words, word_mask)
        aware: tuple[Tensor, Tensor | None] = self.over_cells(words, seen, cell_mask, explain=explain)
        return aware
