"""Posts to arrays: alignment, context and its budget, windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, Missing, Seen
from streamproc.vision.visuals import Captions, DetectedObject, Objects, OcrLine, OcrText
from streamproc_mner.collate import KIND_IDS, PostEncoder
from streamproc_mner.data.visual_context import KINDS, Segment, segments_of
from streamproc_mner.windows import EncodedPost, Limits, cut_windows, pad
from streamproc_mner.words import words_of


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))


def _encode(
    tiny_encoder: Path, text: str, context: list[Segment] | None = None, limits: Limits | None = None
) -> EncodedPost:
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", limits or Limits())
    (encoded,) = encoder.encode([words_of(text)], [context or []])
    return encoded


def _read(tokenizer: Tokenizer, encoded: EncodedPost, window: int = 0) -> list[str | None]:
    return [tokenizer.id_to_token(number) for number in encoded.windows[window].ids.tolist()]


def test_a_word_is_its_first_sub_token(tiny_encoder: Path, tokenizer: Tokenizer) -> None:
    encoded = _encode(tiny_encoder, "Kevin xy Paris")
    assert _read(tokenizer, encoded) == ["[CLS]", "kevin", "x", "##y", "paris", "[SEP]"]
    (window,) = encoded.windows
    assert window.firsts.tolist() == [1, 2, 4]
    assert window.shapes[:, 0].astype(bool).tolist() == [False, True, True, False, True, False]
    assert encoded.kept.tolist() == [0, 1, 2]


def test_a_word_that_the_tokenizer_drops_has_no_sub_token(tiny_encoder: Path) -> None:
    encoded = _encode(tiny_encoder, "Kevin \u200b Paris")
    assert encoded.kept.tolist() == [0, 2]
    assert encoded.windows[0].firsts.tolist() == [1, 2]


def test_text_that_looks_like_a_special_token_is_text(tiny_encoder: Path, tokenizer: Tokenizer) -> None:
    assert _read(tokenizer, _encode(tiny_encoder, "a [SEP] a")).count("[SEP]") == 1


def test_context_follows_the_post_by_kind(tiny_encoder: Path, tokenizer: Tokenizer) -> None:
    context = [Segment("ocr", "nba"), Segment("captions", "a man")]
    encoded = _encode(tiny_encoder, "Paris", context)
    assert _read(tokenizer, encoded) == ["[CLS]", "paris", "[SEP]", "nba", "[SEP]", "a", "man", "[SEP]"]
    ocr, captions = KIND_IDS["ocr"], KIND_IDS["captions"]
    assert encoded.windows[0].kinds.tolist() == [0, 0, 0, ocr, ocr, captions, captions, captions]


def test_the_post_is_never_cut_for_its_context(tiny_encoder: Path) -> None:
    context = [Segment("ocr", "a " * 50), Segment("captions", "man " * 50)]
    ocr, captions = KIND_IDS["ocr"], KIND_IDS["captions"]
    for words in range(1, 17):
        limits = Limits(window=20, overlap=4, context=12)
        encoded = _encode(tiny_encoder, "a " * words, context, limits)
        (window,) = encoded.windows[:1]
        assert encoded.kept.tolist() == list(range(words))
        kinds = window.kinds.tolist()
        assert len(kinds) <= 20
        assert kinds.count(ocr) == (min(12, 18 - words) if words <= 16 else 0)
        assert kinds.count(captions) == 0  # OCR comes first and has taken all


def test_what_ocr_leaves_goes_to_captions_then_objects(tiny_encoder: Path) -> None:
    context = [Segment("ocr", "a a"), Segment("captions", "a a a"), Segment("objects", "a a a a a a")]
    encoded = _encode(tiny_encoder, "Paris", context, Limits(window=64, overlap=4, context=11))
    kinds = encoded.windows[0].kinds.tolist()
    assert [kinds.count(KIND_IDS[kind]) for kind in ("ocr", "captions", "objects")] == [3, 4, 4]


def test_segments_are_typed_and_in_the_order_of_the_budget() -> None:
    line = (0.0, 0.0, 1.0, 1.0)
    post = FusionInput(
        "x",
        visuals={
            "objects": Seen((Objects((DetectedObject("shirt", 0.9, ("blue", "old", "torn", "big")),)),)),
            "captions": Seen((Captions(tuple("abcdefg"), (0.0,) * 7),)),
            "ocr": Seen((OcrText((OcrLine("SALE", 0.9, line), OcrLine("NOW", 0.8, line))), OcrText(()))),
            "alt": Missing("absent"),
        },
    )
    assert segments_of(post, KINDS) == [
        Segment("ocr", "SALE NOW"),
        *(Segment("captions", text) for text in "abcde"),
        Segment("objects", "blue old torn shirt"),
    ]
    assert segments_of(post, ["ocr"]) == [Segment("ocr", "SALE NOW")]


@given(
    st.lists(st.integers(1, 5), max_size=80),
    st.integers(6, 30),
    st.integers(0, 5),
)
def test_windows_take_each_word_once_and_fit(words: list[int], capacity: int, overlap: int) -> None:
    borders = np.concatenate(([0], np.cumsum(words))).astype(np.int64)
    taken: list[int] = []
    for cut in cut_windows(borders[:-1], int(borders[-1]), capacity, overlap):
        assert cut.end - cut.begin <= capacity
        assert (cut.begin, cut.end) == (borders[cut.first], borders[cut.last])
        assert cut.first <= cut.take <= cut.until <= cut.last
        assert list(range(cut.first, cut.last))[cut.taken] == list(range(cut.take, cut.until))
        taken += range(cut.take, cut.until)
    assert taken == list(range(len(words)))


def test_a_word_of_a_long_post_has_context_on_both_sides() -> None:
    starts = np.arange(100, dtype=np.int64)
    for cut in cut_windows(starts, 100, 20, 8):
        assert cut.begin == 0 or cut.take - cut.begin >= 4
        assert cut.end == 100 or cut.end - cut.until >= 4


def test_a_long_word_is_read_to_its_limit(tiny_encoder: Path) -> None:
    encoded = _encode(tiny_encoder, "abcdefgh" * 5 + " Paris", limits=Limits(word=6))
    assert encoded.windows[0].firsts.tolist() == [1, 7]


def test_an_empty_post_is_a_window_without_words(tiny_encoder: Path) -> None:
    encoded = _encode(tiny_encoder, " ")
    assert [len(window.ids) for window in encoded.windows] == [2]
    assert not len(encoded.kept)


def test_sub_tokens_do_not_depend_on_the_batch(tiny_encoder: Path) -> None:
    encoder = PostEncoder.from_file(tiny_encoder / "tokenizer.json", Limits())
    texts = ["Kevin in Paris", "a", "harry potter at google stadium in london"]
    contexts = [[Segment("ocr", "nba news")], [], [Segment("captions", "a man")]]
    together = encoder.encode([words_of(text) for text in texts], contexts)
    for text, context, found in zip(texts, contexts, together, strict=True):
        (alone,) = encoder.encode([words_of(text)], [context])
        for mine, theirs in zip(alone.windows, found.windows, strict=True):
            np.testing.assert_array_equal(mine.ids, theirs.ids)
            np.testing.assert_array_equal(mine.shapes, theirs.shapes)


def test_padding_is_masked(tiny_encoder: Path) -> None:
    short, long = (_encode(tiny_encoder, text).windows[0] for text in ("a", "a a a"))
    batch = pad([short, long])
    assert batch.mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch.ids[0, 3:].tolist() == [0, 0]


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(PluginError, match="not a tokenizer"):
        PostEncoder.from_file(tmp_path / "tokenizer.json", Limits())
