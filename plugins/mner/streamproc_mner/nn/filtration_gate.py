"""Keeps from a word what of its multimodal vector is noise (Zhang et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn


class FiltrationGate(nn.Module):
    """The filtration gate of Zhang et al. 2018; s_t is one number a word.

        s_t = sigmoid(w_h . h_t + w_m . m_t + b)
        u_t = s_t tanh(W_m m_t + b_m)

    The paper puts both terms side by side under the sigmoid; they are added here, which is what a
    concatenation comes to under one more linear layer, and what makes s_t a number. For a post
    without a picture the gate is shut: s_t = 0, and u_t = 0.

    Args:
        words_width: of h.
        width: of m and u.
    """

    def __init__(self, words_width: int, width: int) -> None:
        super().__init__()
        self.gate_of_words = nn.Linear(words_width, 1, bias=False)
        self.gate_of_fused = nn.Linear(width, 1)
        self.kept = nn.Linear(width, width)

    def forward(self, words: Tensor, fused: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Filter.

        Args:
            words: (B, T, words_width), h.
            fused: (B, T, width), m.
            seen: (B,) bool: whether the post has a picture.

        Returns:
            u (B, T, width), and s (B, T, 1).
        """
        gate = (self.gate_of_words(words) + self.gate_of_fused(fused)).sigmoid() * seen[:, None, None]
        return gate * self.kept(fused).tanh(), gate
