"""The network of BERT-CRF and BERT-softmax: an encoder, a linear layer, and a head over words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from streamproc_mner.nn.crf import CRF

Head = Literal["crf", "softmax"]
"""`crf`: Huang et al. 2015, wang2022-ita section 2.1. `softmax`: "BERT" of yu2020-umt's baselines."""


class BertTagger(nn.Module):
    """Emissions from `[CLS] post [SEP]`, with visual context behind it or not.

    With the encoder's output r_i for the first sub-token of word i, e_i = W dropout(r_i) + b are
    the emissions of the word; the head makes label probabilities of them. The input is all that the
    encoder is told: no embedding marks where the post ends and the visual context begins, as with
    captions in chen2020-captions ("BERT + CRF + Captions").

    Args:
        encoder: a transformer; its pooler, of no use here, is taken off.
        labels: BIO labels.
        head: what turns the emissions of a post into labels.
        dropout: before the output layer.
    """

    def __init__(
        self, encoder: PreTrainedModel, labels: Sequence[str], head: Head = "crf", dropout: float = 0.1
    ) -> None:
        super().__init__()
        if hasattr(encoder, "pooler"):
            encoder.register_module("pooler", None)
        self.head = head
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(int(encoder.config.hidden_size), len(labels))
        self.crf = CRF(labels) if head == "crf" else Softmax(labels)

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor, shapes: Tensor) -> Tensor:
        """Emissions of all sub-tokens.

        Args:
            ids: (B, S) sub-token ids.
            mask: (B, S) 1 for sub-tokens, 0 for padding.
            kinds: (B, S), not read: every network of streamproc-mner is called alike.
            shapes: (B, S, 3), not read.

        Returns:
            (B, S, L), float32; those of words are at their first sub-tokens.
        """
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        emissions: Tensor = self.output(self.dropout(hidden)).float()
        return emissions


class Softmax(CRF):
    """Labels that do not depend on each other: p(y) = prod_i softmax(e_i)[y_i].

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
