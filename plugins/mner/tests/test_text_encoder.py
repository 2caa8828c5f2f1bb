"""Words' vectors from either kind of text, in a batch of posts of different lengths."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import BaseModel, TypeAdapter, ValidationError

from streamproc_mner.collate import PostEncoder
from streamproc_mner.nn.inputs import Inputs, inputs_of
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.nn.text_encoder import (
    BiLstmText,
    TextEncoder,
    TextSettings,
    TransformerText,
    reads_of,
    text_encoder,
)
from streamproc_mner.pictures import PictureNeed
from streamproc_mner.vocabulary import Vocabulary, WordEncoder
from streamproc_mner.windows import Limits, Window, pad
from streamproc_mner.words import words_of

POSTS = [words_of(text) for text in ("Kevin Durant in Paris tonight", "", "x", "zebra dog")]
VOCABULARY = Vocabulary.of(POSTS[:3])
SMALL = BiLstmText(word_width=6, character_width=4, character_hidden=3, hidden=5)


def _settings(kind: str) -> BiLstmText | TransformerText:
    if kind == "transformer":
        return TransformerText(encoder="tiny")
    return SMALL.model_copy(update={"characters": kind})


@pytest.fixture(params=["none", "lstm", "cnn", "transformer"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def windows(kind: str, tiny_encoder: Path) -> list[Window]:
    limits = Limits(window=48, overlap=12)
    encoder: PostEncoder | WordEncoder = WordEncoder(VOCABULARY, limits)
    if kind == "transformer":
        encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", limits)
    return [post.windows[0] for post in encoder.encode(POSTS, [()] * len(POSTS))]


@pytest.fixture
def encoder(kind: str, tiny_parts: Parts) -> TextEncoder:
    torch.manual_seed(0)
    parts = tiny_parts
    if kind != "transformer":
        parts = Parts(lambda role, name: pytest.fail(f"asked for the encoder {name}"), VOCABULARY)
    return text_encoder(_settings(kind), parts).eval()


def _inputs(*windows: Window) -> Inputs:
    return inputs_of(pad(windows))


def test_a_post_has_the_same_vectors_alone_and_in_a_batch(
    encoder: TextEncoder, windows: list[Window]
) -> None:
    together = encoder(_inputs(*windows))
    assert together.shape == (4, 5, encoder.width)
    for row, window in enumerate(windows):
        count = len(window.words)
        torch.testing.assert_close(
            together[row, :count], encoder(_inputs(window))[0, :count], atol=1e-5, rtol=0
        )


def test_padding_and_posts_without_words_are_zero(encoder: TextEncoder, windows: list[Window]) -> None:
    inputs = _inputs(*windows)
    vectors = encoder(inputs)
    assert (vectors[~inputs.words] == 0).all()
    assert (vectors[inputs.words].abs().sum(dim=-1) > 0).all()
    assert (encoder(_inputs(windows[1])) == 0).all()


def test_a_words_vector_depends_on_the_words_around_it(encoder: TextEncoder, windows: list[Window]) -> None:
    inputs = _inputs(windows[0])
    before = encoder(inputs)
    inputs.ids[0, inputs.firsts[0, -1]] = 1
    after = encoder(inputs)
    assert not torch.allclose(before[0, 0], after[0, 0], atol=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "cnn"], indirect=True)
def test_unknown_words_differ_by_their_characters(encoder: TextEncoder, windows: list[Window]) -> None:
    inputs = _inputs(windows[3])
    assert inputs.ids.tolist() == [[1, 1]]
    assert inputs.characters is not None
    before = encoder(inputs)
    inputs.characters[0, 1, 0] = 3
    assert not torch.allclose(before, encoder(inputs), atol=1e-6)


def test_all_weights_learn(encoder: TextEncoder, windows: list[Window]) -> None:
    encoder(_inputs(*windows)).square().sum().backward()
    dead = [
        name
        for name, parameter in encoder.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert [name for name in dead if "token_type" not in name] == []


def test_bfloat16_is_close_to_float32(encoder: TextEncoder, windows: list[Window]) -> None:
    inputs = _inputs(*windows)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        short = encoder(inputs)
    torch.testing.assert_close(short.float(), encoder(inputs).detach(), atol=0.15, rtol=0.1)


def test_what_a_post_is_read_as(kind: str) -> None:
    need = PictureNeed("global", 8, 1)
    reads = reads_of(_settings(kind), need)
    assert reads.positions == ("sub-tokens" if kind == "transformer" else "words")
    assert reads.characters == (kind in ("lstm", "cnn"))
    assert reads.picture == need
    assert reads.kinds == ()


def test_the_kind_of_text_is_told_by_its_name() -> None:
    settings: TypeAdapter[BaseModel] = TypeAdapter(TextSettings)
    assert settings.validate_python({"kind": "bilstm", "characters": "cnn"}) == BiLstmText(characters="cnn")
    assert isinstance(settings.validate_python({"kind": "transformer"}), TransformerText)
    with pytest.raises(ValidationError, match="'bilstm', 'transformer'"):
        settings.validate_python({"kind": "gru"})
    with pytest.raises(ValidationError, match="hidden"):
        settings.validate_python({"kind": "transformer", "hidden": 3})
