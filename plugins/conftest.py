"""A tiny random encoder in transformers' form, for the tests of all model plugins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugins.tiny_tokenizers import write_word_piece

if TYPE_CHECKING:
    from streamproc_mner.nn.tagger import Parts


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer BERT of width 32, and a WordPiece tokenizer."""
    torch = pytest.importorskip("torch", reason="needs the [train] extra")
    transformers = pytest.importorskip("transformers", reason="needs the [train] extra")
    folder = tmp_path_factory.mktemp("encoder")
    vocabulary = write_word_piece(folder / "tokenizer.json")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    # Larger weights than a fresh BERT's, so that a word's emissions depend on what is around it.
    config.initializer_range = 0.3
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_parts(tiny_encoder: Path) -> Parts:
    """What networks on the tiny encoder are built of; each encoder of a network is a new copy."""
    from transformers import AutoModel

    from streamproc_mner.nn.stored import without_pooler
    from streamproc_mner.nn.tagger import Parts

    return Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(tiny_encoder)))
