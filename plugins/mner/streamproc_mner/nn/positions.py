"""How many positions an encoder has, and where it begins to count them."""

from __future__ import annotations

from transformers import PreTrainedModel


def first_position(encoder: PreTrainedModel) -> int:
    """The number of the first position: RoBERTa's kin count from behind the padding's id."""
    padding = getattr(encoder.embeddings, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def position_count(encoder: PreTrainedModel) -> int | None:
    """How many sub-tokens the encoder takes at once; `None` where its positions have no table."""
    rows = getattr(encoder.config, "max_position_embeddings", None)
    return None if rows is None else int(rows) - first_position(encoder)
