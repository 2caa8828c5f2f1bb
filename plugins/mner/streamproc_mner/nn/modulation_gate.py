"""How much of a word and how much of the picture goes into their fusion (Lu et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn


class ModulationGate(nn.Module):
    """The visual modulation gate of Lu et al. 2018.

    With a word's representation h_t and the visual context v of its post, both gates vectors:

        beta_w = sigmoid(W_w h_t + U_w v + b_w)
        beta_v = sigmoid(W_v h_t + U_v v + b_v)
        m_t    = tanh(W_m h_t + U_m v + b_m)
        w_t    = beta_w * h_t + beta_v * m_t

    Args:
        words_width: of h, m and w.
        image_width: of v.
    """

    def __init__(self, words_width: int, image_width: int) -> None:
        super().__init__()
        self.of_words = nn.Linear(words_width, 3 * words_width)
        self.of_image = nn.Linear(image_width, 3 * words_width, bias=False)

    def forward(self, words: Tensor, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fuse words with the visual context.

        Args:
            words: (B, T, words_width).
            image: (B, image_width), one vector a post.

        Returns:
            w, beta_w, beta_v: (B, T, words_width) each.
        """
        both = self.of_words(words) + self.of_image(image).unsqueeze(1)
        word_gate, image_gate, modulated = both.chunk(3, dim=-1)
        word_gate, image_gate = word_gate.sigmoid(), image_gate.sigmoid()
        return word_gate * words + image_gate * modulated.tanh(), word_gate, image_gate
