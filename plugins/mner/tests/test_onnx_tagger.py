"""`mner-onnx` on a tiny exported network: parity with torch, batches, hostile posts, broken folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModel

from streamproc.entities import Entity
from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, Missing, Need, Seen, Tagging
from streamproc.vision.visuals import Captions, OcrLine, OcrText
from streamproc_mner.exporting.onnx_file import export_onnx, round_to_half
from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.inputs import inputs_of
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.onnx_tagger import OnnxNetwork, OnnxTagger, OnnxTaggerConfig
from streamproc_mner.saved_config import Crf
from streamproc_mner.saved_model import write_model
from streamproc_mner.tagging import Scores, TaggerModel
from streamproc_mner.windows import Batch, Limits
from streamproc_mner.words import words_of

LABELS = bio_labels(ENTITY_TYPES)
LIMITS = Limits(window=48, overlap=12, context=20)


@pytest.fixture(scope="module")
def network(tiny_encoder: Path) -> ContextTagger:
    torch.manual_seed(1)
    encoder = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False, attn_implementation="eager")
    settings = ContextTaggerSettings(
        context=("alt", "ocr", "captions"), kind_embedding=True, word_shapes=True
    )
    network = ContextTagger(settings, LABELS, Parts(lambda role, name: encoder)).eval()
    with torch.no_grad():
        assert network.kind is not None
        network.kind.weight.normal_()
        network.output.weight.normal_(std=0.5)
    round_to_half(network)
    return network


@pytest.fixture(scope="module")
def folder(network: ContextTagger, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    folder.mkdir()
    export_onnx(network, folder / "model.onnx")
    write_model(
        folder,
        weights=folder / "model.onnx",
        name="tiny",
        network="ita",
        labels=LABELS,
        tokenizer=tiny_encoder / "tokenizer.json",
        kinds=("alt", "ocr", "captions"),
        limits=LIMITS,
        crf=Crf.of(network.crf_scores),
        metrics={},
        card="# tiny\n",
    )
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> TaggerModel:
    return OnnxTagger(OnnxTaggerConfig(threads=1, batch_tokens=128)).load(folder, "cpu")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def _load(folder: Path) -> TaggerModel:
    return OnnxTagger(OnnxTaggerConfig(threads=1)).load(folder, "cpu")


def _with_picture(text: str) -> FusionInput:
    writing = OcrText((OcrLine("NBA news tonight", 0.9, (0.0, 0.0, 1.0, 1.0)),))
    captions = Captions(("a man with a dog", "a photo of a man"), (-0.1, -0.2))
    return FusionInput(text, visuals={"ocr": Seen((writing,)), "captions": Seen((captions,))})


POSTS = [
    FusionInput("Kevin Durant in Paris"),
    _with_picture("Kevin Durant in Paris"),
    FusionInput("x"),
    FusionInput("RT @warriors : #NBA news 🎉 http://t.co/x"),
    FusionInput(""),
    _with_picture("harry potter at the google stadium in london " * 12),
    FusionInput("東京 \u200b NASA", visuals={"ocr": Missing("unavailable", "fetch failed")}),
]


def _same(left: Tagging, right: Tagging) -> None:
    assert [(e.text, e.type, e.start, e.end) for e in left.entities] == [
        (e.text, e.type, e.start, e.end) for e in right.entities
    ]
    scores = [[e.score for e in tagging.entities] for tagging in (left, right)]
    np.testing.assert_allclose(*scores, atol=1e-4)
    np.testing.assert_allclose(left.confidence, right.confidence, atol=1e-4)
    assert left.uncertainty == pytest.approx(right.uncertainty, abs=1e-4)


def test_the_export_agrees_with_torch(network: ContextTagger, folder: Path) -> None:
    random = np.random.default_rng(0)
    exported = OnnxNetwork(folder / "model.onnx", threads=1)
    for size, length in ((1, 3), (5, 40)):
        mask = np.ones((size, length), np.int64)
        mask[-1, length // 2 + 1 :] = 0
        batch = Batch(
            random.integers(0, 50, (size, length)),
            mask,
            random.integers(0, 5, (size, length)),
            random.integers(0, 6, (size, length, 3)),
            np.tile(np.arange(length), (size, 1)) * mask,
            mask == 1,
        )
        with torch.no_grad():
            expected = network(inputs_of(batch)).emissions.numpy()
        found = exported.score(batch, None).emissions
        np.testing.assert_allclose(found[batch.words], expected[batch.words], atol=1e-4)


def test_weights_are_stored_in_half_precision(folder: Path) -> None:
    weights = onnx.load(folder / "model.onnx").graph.initializer
    large = [weight for weight in weights if np.prod(weight.dims) >= 64]
    kinds = {weight.data_type for weight in large}
    assert onnx.TensorProto.FLOAT16 in kinds
    assert onnx.TensorProto.FLOAT not in kinds


def test_a_post_is_tagged_alike_alone_and_in_any_batch(model: TaggerModel) -> None:
    together = model.tag(POSTS)
    assert any(tagging.entities for tagging in together)
    for post, tagging in zip(POSTS, together, strict=True):
        _same(tagging, model.tag([post])[0])
    for tagging, backwards in zip(together, reversed(model.tag(POSTS[::-1])), strict=True):
        _same(tagging, backwards)


def test_offsets_give_the_entitys_text(model: TaggerModel) -> None:
    for post, tagging in zip(POSTS, model.tag(POSTS), strict=True):
        for entity in tagging.entities:
            assert post.text[entity.start : entity.end] == entity.text
            assert 0.0 <= entity.score <= 1.0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_text_gets_entities_in_order_and_a_confidence_a_word(
    model: TaggerModel, texts: list[str]
) -> None:
    taggings = model.tag([FusionInput(text) for text in texts])
    assert len(taggings) == len(texts)
    for text, tagging in zip(texts, taggings, strict=True):
        end = 0
        for entity in tagging.entities:
            assert entity.start >= end
            assert text[entity.start : entity.end] == entity.text != ""
            end = entity.end
        assert len(tagging.confidence) == len(words_of(text))
        assert all(0.0 <= chance <= 1.0 for chance in (*tagging.confidence, tagging.uncertainty))


def test_an_empty_batch_is_an_empty_list(model: TaggerModel) -> None:
    assert model.tag([]) == []


def test_a_post_without_words_has_no_entities(model: TaggerModel) -> None:
    for text in ("", "  \n"):
        assert model.tag([FusionInput(text)]) == [Tagging((), (), 0.0)]


def test_a_word_that_the_tokenizer_drops_is_o(model: TaggerModel) -> None:
    (tagging,) = model.tag([FusionInput("\u200b")])
    assert tagging == Tagging((), (1.0,), 0.0)


def test_ten_thousand_emoji_and_a_word_of_25000_letters(model: TaggerModel) -> None:
    emoji, letters = model.tag([FusionInput("🎉" * 10_000), FusionInput("a" * 25_000)])
    assert len(emoji.confidence) == 10_000
    assert len(letters.confidence) == 1


def test_a_long_post_goes_through_the_network_in_bounded_pieces(folder: Path) -> None:
    model = OnnxTagger(OnnxTaggerConfig(threads=1, batch_tokens=128)).load(folder, "cpu")
    score, sizes = model._network.score, []

    def watched(batch: Batch, pictures: None) -> Scores:
        sizes.append(batch.ids.size)
        return score(batch, pictures)

    model._network.score = watched  # type: ignore[method-assign]
    model.tag([FusionInput("Kevin Durant in Paris " * 500), FusionInput("Paris")])
    assert max(sizes) <= 128
    assert len(sizes) > 10


def test_the_visual_context_is_read_where_there_is_some(model: TaggerModel) -> None:
    alone, seen = model.tag(POSTS[:2])
    assert alone.confidence != seen.confidence
    missing = FusionInput(POSTS[0].text, visuals={"captions": Missing("absent")})
    _same(model.tag([missing])[0], alone)


def test_a_model_names_the_kinds_that_it_was_trained_on(model: TaggerModel) -> None:
    assert model.modalities == dict.fromkeys(("alt", "ocr", "captions"), Need.OPTIONAL)
    assert (model.model, len(model.model_version or "")) == ("tiny", 12)


def test_handles_are_tagged_only_on_request(folder: Path, network: ContextTagger) -> None:
    """A network that finds a PER everywhere, so that only the setting decides."""
    config = json.loads((folder / "config.json").read_text())
    always = [100.0 if label == "B-PER" else 0.0 for label in LABELS]
    config["crf"]["transitions"] = [always] * len(LABELS)
    config["crf"]["start"] = always
    copy = shutil.copytree(folder, folder.parent / "always")
    (copy / "config.json").write_text(json.dumps(config))
    post = FusionInput("thanks @warriors")
    for handles, expected in ((False, ["thanks", "@"]), (True, ["thanks", "@", "warriors"])):
        model = OnnxTagger(OnnxTaggerConfig(threads=1, handles=handles)).load(copy, "cpu")
        (tagging,) = model.tag([post])
        assert [entity.text for entity in tagging.entities] == expected
    assert tagging.entities[-1] == Entity("warriors", "PER", 8, 16, pytest.approx(1.0, abs=1e-3))


def test_a_torch_model_and_another_device_are_refused(copy: Path) -> None:
    with pytest.raises(PluginError, match="runs on the cpu"):
        OnnxTagger(OnnxTaggerConfig()).load(copy, "cuda")
    config = json.loads((copy / "config.json").read_text())
    config["weights"]["file"] = "model.safetensors"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(PluginError, match="served by the plugin ita"):
        _load(copy)


def test_how_many_cores_share_a_batch_changes_nothing(folder: Path) -> None:
    batch = [FusionInput(f"Ada met Grace in {'Berlin ' * number}") for number in range(1, 20)]
    alone, shared = (
        OnnxTagger(OnnxTaggerConfig(threads=threads)).load(folder, "cpu").tag(batch) for threads in (1, 3)
    )
    for left, right in zip(alone, shared, strict=True):
        _same(left, right)
