"""What a word attended to in the picture and in the text, as one vector (Zhang et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GatedFusion(nn.Module):
    """The gated multimodal fusion of Zhang et al. 2018; the gate g_t is one number a word.

        x_t = tanh(W_v v^_t + b_v)
        y_t = tanh(W_h h^_t + b_h)
        g_t = sigmoid(w_g . [x_t; y_t] + b_g)
        m_t = g_t x_t + (1 - g_t) y_t

    Args:
        image_width: of v^.
        words_width: of h^.
        width: of x, y and m.
    """

    def __init__(self, image_width: int, words_width: int, width: int) -> None:
        super().__init__()
        self.image = nn.Linear(image_width, width)
        self.words = nn.Linear(words_width, width)
        self.gate = nn.Linear(2 * width, 1)

    def forward(self, image: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse.

        Args:
            image: (B, T, image_width).
            words: (B, T, words_width).

        Returns:
            m (B, T, width), and g (B, T, 1): the picture's share.
        """
        image, words = self.image(image).tanh(), self.words(words).tanh()
        gate = self.gate(torch.cat([image, words], dim=-1)).sigmoid()
        return gate * image + (1 - gate) * words, gate
