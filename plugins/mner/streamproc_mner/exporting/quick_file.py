"""The second weight file of an exported model, in 8-bit integers: made, measured, named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from streamproc.entities import View
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import segments_of
from streamproc_mner.decoding import Decoder
from streamproc_mner.evaluation.predictions import predict_posts
from streamproc_mner.evaluation.spans import JudgedPost, evaluate_spans, total
from streamproc_mner.exporting.calibration import Calibration
from streamproc_mner.onnx_tagger import OnnxNetwork, OnnxTagger, OnnxTaggerConfig
from streamproc_mner.quantisation.int8 import quantise
from streamproc_mner.saved_config import QUICK, Quick
from streamproc_mner.saved_model import SavedModel, add_quick, read_model
from streamproc_mner.self_check import METADATA, expectations
from streamproc_mner.windows import Window


def make_quick(
    folder: Path, calibration: Calibration, advance: Callable[[int, int], None] = lambda _done, _all: None
) -> Quick:
    """Make the 8-bit file of an exported model, in its folder.

    Args:
        folder: of the model; gets `model.int8.onnx`, and `config.json` names it.
        calibration: posts such as the model is to read.
        advance: called with how many layers are done, and how many there are.

    Returns:
        What `config.json` says of it.
    """
    saved = read_model(folder, "model.onnx")
    assert saved.config.crf is not None  # read_model sees to it
    encoder = PostEncoder.from_file(saved.tokenizer, saved.config.limits)
    decoder = Decoder(saved.labels, saved.config.crf.scores(), saved.config.temperature)
    target = folder / QUICK
    views = views_of(calibration.calibrating, saved)
    quantise(saved.weights, _windows(calibration.calibrating, views, saved, encoder), target, advance)
    _carry_expectations(target, encoder, decoder)
    add_quick(folder, agreement=100.0, f1={})
    agreement, f1 = _measured(folder, calibration, views_of(calibration.measured, saved))
    return add_quick(folder, agreement=agreement, f1=f1)


def views_of(posts: Sequence[LabelledPost], saved: SavedModel) -> tuple[View, ...]:
    """The views that a model has of posts: that with pictures where they show any of what it reads."""
    kinds = set(saved.config.kinds)
    return ("text", "image+text") if any(kinds & set(post.visuals) for post in posts) else ("text",)


def _windows(
    posts: Sequence[LabelledPost], views: Sequence[View], saved: SavedModel, encoder: PostEncoder
) -> list[Window]:
    words = [post.words for post in posts]
    return [
        window
        for view in views
        for encoded in encoder.encode(
            words, [segments_of(post.as_input(view), saved.config.kinds) for post in posts]
        )
        for window in encoded.windows
    ]


def _carry_expectations(target: Path, encoder: PostEncoder, decoder: Decoder) -> None:
    expected = expectations(OnnxNetwork(target, threads=0), encoder, decoder)
    model = onnx.load(target)
    onnx.helper.set_model_props(model, {METADATA: expected})
    onnx.save(model, target)


def _measured(
    folder: Path, calibration: Calibration, views: Sequence[View]
) -> tuple[float, dict[View, tuple[float, float]]]:
    """How far both files agree (F1 over all views), and the F1 of each, in percent."""
    exact, quick = (
        OnnxTagger(OnnxTaggerConfig(precision=precision)).load(folder, "cpu")
        for precision in ("float32", "int8")
    )
    posts, pairs = calibration.measured, []
    f1: dict[View, tuple[float, float]] = {}
    for view in views:
        ours, theirs = (
            [[found.span for found in post.spans] for post in predict_posts(model, posts, view)]
            for model in (exact, quick)
        )
        pairs += [JudgedPost(frozenset(a), frozenset(b)) for a, b in zip(ours, theirs, strict=True)]
        if calibration.labelled:
            scores = [100 * evaluate_spans(posts, spans).overall.f1 for spans in (ours, theirs)]
            f1[view] = (round(scores[0], 2), round(scores[1], 2))
    both = total(pair.score() for pair in pairs)
    return round(100 * both.f1, 2) if both.gold + both.predicted else 100.0, f1
