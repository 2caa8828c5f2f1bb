"""Cross-view alignment (wang2022-ita section 2.2, eq. 4 and 5)."""

from __future__ import annotations

from torch import Tensor


def cross_view_alignment(text: Tensor, image_text: Tensor, mask: Tensor) -> Tensor:
    """How far the text view's posteriors are from the image+text view's, as a cross-entropy.

    L_CVA = - sum_i sum_y p(y_i | I+T) log p(y_i | T), the first factor without gradient: the text
    view learns from the richer one. The paper's print of eq. 4 and 5 lacks the minus sign and the
    sum over labels.

    Args:
        text: (B, T, L) log-posteriors of the text view.
        image_text: (B, T, L) log-posteriors of the image+text view.
        mask: (B, T) bool, true for words that count.

    Returns:
        (B,), summed over words.
    """
    cross_entropy = -(image_text.detach().exp() * text).sum(dim=-1)
    return cross_entropy.masked_fill(~mask, 0.0).sum(dim=1)
