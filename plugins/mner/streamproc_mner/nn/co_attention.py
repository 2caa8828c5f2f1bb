"""Words look at the picture, and with what they saw at the other words (Zhang et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from streamproc_mner.nn.additive_attention import AdditiveAttention


@dataclass(frozen=True, slots=True, eq=False)
class CoAttended:
    """What each word attended to.

    Attributes:
        image: (B, T, image_width); zeros for a post without a picture.
        words: (B, T, words_width); zeros for a post without words.
        image_weights: (B, T, N).
        word_weights: (B, T, T).
    """

    image: Tensor
    words: Tensor
    image_weights: Tensor
    word_weights: Tensor


class CoAttention(nn.Module):
    """Word-guided visual attention, then image-guided textual attention, of Zhang et al. 2018.

    With words h_1 ... h_T and cells v_1 ... v_N of the picture, for each word t

        a_t   = softmax(w_a . tanh(W_v v_i + W_h h_t + b))      over the cells i
        v^_t  = sum_i a_ti v_i
        b_t   = softmax(w_b . tanh(U_h h_j + U_v v^_t + c))     over the words j
        h^_t  = sum_j b_tj h_j

    `AdditiveAttention` says why the sums under the tanh are not the concatenations of the paper,
    and what they cost: T * (N + T) * `width` numbers a post.

    Args:
        words_width: of h.
        image_width: of v.
        width: in which words and cells are compared.
    """

    def __init__(self, words_width: int, image_width: int, width: int) -> None:
        super().__init__()
        self.visual = AdditiveAttention(words_width, image_width, width)
        self.textual = AdditiveAttention(image_width, words_width, width)

    def forward(self, words: Tensor, words_mask: Tensor, cells: Tensor, cells_mask: Tensor) -> CoAttended:
        """Both attentions.

        Args:
            words: (B, T, words_width).
            words_mask: (B, T) bool.
            cells: (B, N, image_width).
            cells_mask: (B, N) bool.
        """
        image_weights = self.visual(words, cells, cells_mask)
        image = image_weights @ cells
        word_weights = self.textual(image, words, words_mask)
        return CoAttended(image, word_weights @ words, image_weights, word_weights)
