"""The network of ITA (wang2022-ita): an encoder over a post and its visual context, and a CRF."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from transformers import PreTrainedModel

from streamproc_mner.collate import KIND_IDS
from streamproc_mner.nn.crf import CRF
from streamproc_mner.nn.word_shape import WordShapeEmbedding
from streamproc_mner.words import SHAPE_SIZES


class ContextTagger(nn.Module):
    """Emissions from `[CLS] post [SEP] visual context [SEP]`; the CRF sees the post's words only.

    To each sub-token's embedding a vector for its kind (post, alt text, OCR, ...) is added, and to
    each word's first one a vector for its shape, which also has a direct say in the emissions.

    Args:
        encoder: a transformer without pooler.
        labels: BIO labels.
        dropout: before the output layer.
    """

    def __init__(self, encoder: PreTrainedModel, labels: Sequence[str], dropout: float = 0.1) -> None:
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.kind = nn.Embedding(len(KIND_IDS) + 1, width)
        nn.init.zeros_(self.kind.weight)
        self.shape = WordShapeEmbedding(SHAPE_SIZES, width)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, len(labels))
        self.shape_output = WordShapeEmbedding(SHAPE_SIZES, len(labels))
        self.crf = CRF(labels)

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor, shapes: Tensor) -> Tensor:
        """Emissions of all sub-tokens.

        Args:
            ids: (B, S) sub-token ids.
            mask: (B, S) 1 for sub-tokens, 0 for padding.
            kinds: (B, S) see `streamproc_mner.collate`.
            shapes: (B, S, 3) see `streamproc_mner.words`.

        Returns:
            (B, S, L), float32.
        """
        embedded = self.encoder.get_input_embeddings()(ids) + self.kind(kinds) + self.shape(shapes)
        hidden = self.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        emissions: Tensor = self.output(self.dropout(hidden)).float() + self.shape_output(shapes)
        return emissions


def word_emissions(emissions: Tensor, firsts: Tensor) -> Tensor:
    """(B, S, L) of sub-tokens to (B, T, L) of words, by the position of each word's first sub-token."""
    return emissions.gather(1, firsts.unsqueeze(-1).expand(-1, -1, emissions.shape[-1]))
