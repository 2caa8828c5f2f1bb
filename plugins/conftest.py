"""A tiny random encoder in transformers' form, for the tests of all model plugins."""

from __future__ import annotations

import string
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from streamproc_mner.nn.tagger import Parts

_WORDS = (
    "in the of at and is rt http amp a man dog photo nba news "
    "kevin durant paris london nasa warriors harry potter google stadium"
)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer BERT of width 32, and a WordPiece tokenizer."""
    torch = pytest.importorskip("torch", reason="needs the [train] extra")
    transformers = pytest.importorskip("transformers", reason="needs the [train] extra")
    folder = tmp_path_factory.mktemp("encoder")
    vocabulary = write_tokenizer(folder / "tokenizer.json")
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


def write_tokenizer(path: Path) -> int:
    """Write a small WordPiece tokenizer; returns the size of its vocabulary."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    letters = string.ascii_lowercase + string.digits
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *string.punctuation,
        *letters,
        *(f"##{letter}" for letter in letters),
        *(word for word in _WORDS.split() if len(word) > 1),
    ]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.save(str(path))
    return len(vocabulary)
