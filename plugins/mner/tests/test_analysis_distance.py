"""Distances between the views' representations, against each post read alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

import torch
from transformers import AutoModel

from plugins.mner.tests.analysis_models import PLUGIN, random_posts, write_posts
from plugins.saved_families import LABELS, save_random
from streamproc.errors import InputError
from streamproc.fusion.api import Seen
from streamproc_bilstm_crf.tagger import BiLstmTagger
from streamproc_ita.tagger import ItaTagger
from streamproc_mner.analysis.distance import by_distance, moved_words, represented
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import segments_of
from streamproc_mner.exporting.onnx_file import export_onnx
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.nn.stored import load_tagger, save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.pictures import PictureNeed, pad_pictures, picture_of
from streamproc_mner.saved_config import Crf
from streamproc_mner.saved_model import read_model, write_model
from streamproc_mner.torch_serving import encoder_for
from streamproc_mner.windows import Limits, pad

LIMITS = Limits(window=64, overlap=8, context=20)
POSTS = [
    {"id": "m", "tokens": ["@harry", "in", "paris"], "tags": ["O", "O", "B-LOC"], "captions": ["a dog"]},
    *random_posts(20, seed=6, most=12),
]


def _begin(_: int) -> Callable[[int], None]:
    return lambda _: None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LabelledFile:
    return LabelledFile(write_posts(tmp_path_factory.mktemp("data") / "posts.jsonl", POSTS))


@pytest.fixture(scope="module")
def network(tiny_encoder: Path) -> ItaTagger:
    torch.manual_seed(2)
    settings = ItaTagger.Settings.model_validate({"encoder": "tiny", "context": ["captions"]})
    parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(tiny_encoder)))
    return ItaTagger(settings, LABELS, parts).eval()


@pytest.fixture(scope="module")
def folder(network: ItaTagger, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "ita"
    save_tagger(
        network, folder, plugin="ita", name="tiny", tokenizer=tiny_encoder / "tokenizer.json",
        vocabulary=None, limits=LIMITS, metrics={}, card="# tiny\n",
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def exported(network: ItaTagger, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "onnx"
    folder.mkdir()
    export_onnx(network, folder / "model.onnx")
    write_model(
        folder, weights=folder / "model.onnx", name="tiny", network="ita", labels=LABELS,
        tokenizer=tiny_encoder / "tokenizer.json", kinds=("captions",), limits=LIMITS,
        crf=Crf.of(network.crf_scores), metrics={}, card="# tiny\n",
    )  # fmt: skip
    return folder


def _read_alone(
    network: ItaTagger, encoder: PostEncoder, post: LabelledPost, *, states: bool
) -> list[np.ndarray]:
    """A post's words without and with its captions: the encoder's output, or the emissions."""
    read = []
    for view in ("text", "image+text"):
        segments = segments_of(post.as_input(view), ("captions",))
        ((window,),) = [encoded.windows for encoded in encoder.encode([post.words], [segments])]
        inputs = inputs_of(pad([window]))
        with torch.no_grad():
            embedded = network.embed(inputs.ids, inputs.kinds, inputs.shapes)
            hidden = network.encoder(inputs_embeds=embedded, attention_mask=inputs.mask)
            rows = hidden.last_hidden_state if states else network.output(hidden.last_hidden_state)
        read.append(rows[0, inputs.firsts[0]].numpy().astype(np.float64))
    return read


def _by_hand(network: ItaTagger, encoder: PostEncoder, data: LabelledFile, *, states: bool) -> list[float]:
    distances = []
    for post in data.posts():
        if post.captions:
            text, both = _read_alone(network, encoder, post, states=states)
            distances += [float(np.sqrt(sum((a - b) ** 2))) for a, b in zip(text, both, strict=True)]
    return distances


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> PostEncoder:
    return PostEncoder.from_file(tiny_encoder / "tokenizer.json", LIMITS)


def test_it_is_the_mean_distance_of_the_encoders_outputs(
    network: ItaTagger, encoder: PostEncoder, folder: Path, data: LabelledFile
) -> None:
    by_hand = _by_hand(network, encoder, data, states=True)
    findings = by_distance({"tiny": [represented(str(folder), "cpu")]}, data, Draws(100, 1), _begin)
    (row,) = [dict(zip(findings.columns, row, strict=True)) for row in findings.rows]
    assert row["of"] == "states"
    assert row["posts"] == sum(bool(post.captions) for post in data.posts())
    assert row["words"] == len(by_hand)
    assert row["L2"] == pytest.approx(np.mean(by_hand), abs=1e-4)
    low, high = row["L2 95 %"]
    assert 0 < low < row["L2"] < high


def test_of_several_seeds_the_mean_and_its_spread_are_told(
    folder: Path, exported: Path, data: LabelledFile
) -> None:
    """Two models that differ stand for two seeds."""
    told = [represented(str(folder), "cpu"), represented(str(exported), "cpu")]
    given = {"one": told[:1], "other": told[1:], "both": told}
    findings = by_distance(given, data, Draws(100, 1), _begin)
    one, other, both = [dict(zip(findings.columns, row, strict=True)) for row in findings.rows]
    for figure in ("L2", "in entities", "elsewhere", "of length, percent"):
        assert both[figure] == pytest.approx((one[figure] + other[figure]) / 2)
    assert both["s.d."] == pytest.approx(np.std([one["L2"], other["L2"]], ddof=1))
    assert one["s.d."] is None
    assert both["L2 95 %"][0] < both["L2"] < both["L2 95 %"][1]


def test_words_of_entities_are_told_apart(
    network: ItaTagger, encoder: PostEncoder, folder: Path, data: LabelledFile
) -> None:
    inside, outside = [], []
    for post in data.posts():
        if post.captions:
            text, both = _read_alone(network, encoder, post, states=True)
            labelled = {place for span in post.spans for place in range(span.start, span.end)}
            for place, (a, b) in enumerate(zip(text, both, strict=True)):
                (inside if place in labelled else outside).append(np.linalg.norm(a - b))
    findings = by_distance({"tiny": [represented(str(folder), "cpu")]}, data, Draws(100, 1), _begin)
    row = dict(zip(findings.columns, findings.rows[0], strict=True))
    assert row["in entities"] == pytest.approx(np.mean(inside), abs=1e-4)
    assert row["elsewhere"] == pytest.approx(np.mean(outside), abs=1e-4)


def test_of_an_exported_model_it_is_the_emissions_and_says_so(
    network: ItaTagger, encoder: PostEncoder, exported: Path, data: LabelledFile
) -> None:
    findings = by_distance({"tiny": [represented(str(exported), "cpu")]}, data, Draws(100, 1), _begin)
    row = dict(zip(findings.columns, findings.rows[0], strict=True))
    assert row["of"] == "emissions"
    assert row["L2"] == pytest.approx(np.mean(_by_hand(network, encoder, data, states=False)), abs=1e-3)
    assert any("is exported: emissions stand for the encoder's output" in note for note in findings.notes)


def test_a_network_of_words_tells_the_states_that_its_output_layer_reads(
    tiny_encoder: Path, tmp_path: Path, data: LabelledFile
) -> None:
    settings = {"word_width": 6, "character_width": 4, "character_hidden": 3, "picture_width": 8}
    folder = save_random(BiLstmTagger, settings, "bilstm-crf", tiny_encoder, tmp_path / "model")
    saved = read_model(folder, "model.safetensors")
    network, need = load_tagger(saved, BiLstmTagger), PictureNeed("global", 8, 1)
    source = np.random.default_rng(0)
    posts = [
        replace(post, visuals={"global": Seen((source.standard_normal(8).astype(np.float16),))})
        for post in data.posts()
    ]
    moved = moved_words(represented(str(folder), "cpu"), posts, lambda _: None)
    encoder = encoder_for(network, saved)
    for post, found in zip(posts, moved, strict=True):
        ((window,),) = [encoded.windows for encoded in encoder.encode([post.words], [()])]
        states = []
        for view in ("text", "image+text"):
            picture = pad_pictures([picture_of(post.as_input(view), need)], need)
            with torch.no_grad():
                states.append(network._states(inputs_of(pad([window]), picture))[0][0].numpy())
        assert found.by == pytest.approx(np.linalg.norm(states[1] - states[0], axis=1), abs=1e-5)
        assert found.by.min() > 0


def test_without_anything_to_see_nothing_moves(folder: Path, data: LabelledFile) -> None:
    posts: Sequence[LabelledPost] = [replace(post, visuals={}) for post in data.posts()]
    moved = moved_words(represented(str(folder), "cpu"), posts, lambda _: None)
    assert max(found.by.max() for found in moved) == 0


def test_data_that_a_model_sees_nothing_of_is_refused(folder: Path, tmp_path: Path) -> None:
    post = {"tokens": ["paris"], "tags": ["B-LOC"], "ocr": "PARIS"}
    data = LabelledFile(write_posts(tmp_path / "posts.jsonl", [post]))
    with pytest.raises(InputError, match="has no image\\+text view of these posts"):
        by_distance({"tiny": [represented(str(folder), "cpu")]}, data, Draws(100, 1), _begin)


def test_a_plugin_without_a_saved_model_is_refused() -> None:
    with pytest.raises(InputError, match="a plugin alone has no network"):
        represented(PLUGIN, "cpu")
