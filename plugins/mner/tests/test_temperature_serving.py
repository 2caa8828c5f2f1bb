"""The temperature of loaded models: what it is fitted on, and that it is served."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from streamproc.errors import InputError
from streamproc.fusion.api import FusionInput, Seen
from streamproc.vision.visuals import Captions
from streamproc_mner.choices import store_choices
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import normalise
from streamproc_mner.data.records import Record
from streamproc_mner.decoding import CrfScores, Decoder
from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.stored import save_tagger
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.onnx_tagger import OnnxTagger, OnnxTaggerConfig
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.saved_model import read_model
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import Network, Scores, TaggerModel
from streamproc_mner.torch_serving import served
from streamproc_mner.training.temperature import LabelledScores, collect_scores, mean_surprise
from streamproc_mner.windows import Batch, Limits

LABELS = bio_labels(["PER", "LOC"])
SCORES = CrfScores(*(np.random.default_rng(9).normal(size=n).astype(np.float32) for n in (5, (5, 5), 5)))


class _Told(Network):
    """Says of each word what its sub-token's number makes of it; with a picture, the other way round."""

    def score(self, batch: Batch, pictures: PictureBatch | None) -> Scores:
        ids = np.take_along_axis(batch.ids, batch.firsts, axis=1).astype(np.float32)
        flipped = np.where(batch.kinds.any(axis=1), -1.0, 1.0).astype(np.float32)[:, None]
        return Scores((ids * flipped)[..., None] * np.arange(1, len(LABELS) + 1, dtype=np.float32))


def _model(tokenizer: Path, temperature: float = 1.0) -> TaggerModel:
    return TaggerModel(
        _Told(),
        PostEncoder.from_file(tokenizer, Limits(window=48, overlap=12, context=20)),
        Decoder(LABELS, SCORES, temperature),
        kinds=("captions",),
        batch_tokens=64,
        handles=False,
        name="told",
        version="1",
    )


def _known(post: LabelledScores) -> list[str]:
    """The label of each word, `?` where it may be any."""
    rows = [[LABELS[label] for label in np.flatnonzero(row)] for row in post.agrees]
    return [row[0] if len(row) == 1 else "?" for row in rows if len(row) in (1, len(LABELS))]


def test_scores_are_collected_with_what_is_known_of_the_labels(tiny_encoder: Path) -> None:
    model = _model(tiny_encoder / "tokenizer.json", temperature=4.0)
    whole = normalise(
        [
            Record("1", ("Kevin", "Durant", "at", "@nasa"), ("B-PER", "I-PER", "O", "O")),
            Record("2", ("@google", "in", "Paris"), ("B-PER", "O", "B-LOC")),
        ]
    )
    cut = normalise([Record("3", ("@", "nasa", "in", "London"), ("O", "B-PER", "O", "B-LOC"))])
    first, second = collect_scores(model, whole)
    assert _known(first) == ["B-PER", "I-PER", "O", "O", "?"]
    assert _known(second) == ["O", "?", "O", "B-LOC"]
    (third,) = collect_scores(model, cut)
    assert _known(third) == ["O", "B-PER", "O", "B-LOC"]
    # As the network gives them, whatever the model's temperature; only O is left to a handle.
    (read,) = model.word_scores([whole[0].as_input("text")])
    np.testing.assert_array_equal(first.emissions, read.emissions)
    assert (first.emissions[-1, 1:] < -1000).all()
    pictured = replace(whole[0], visuals={"captions": Seen((Captions(("a man",), (0.0,)),))})
    (seen,) = collect_scores(model, [pictured], "image+text")
    np.testing.assert_array_equal(seen.emissions[:4], -first.emissions[:4])
    assert np.isfinite(mean_surprise(model.decoder, [first, second, third]))


def test_nothing_is_known_of_an_entity_of_which_a_word_is_not_seen(tiny_encoder: Path) -> None:
    model = _model(tiny_encoder / "tokenizer.json")
    posts = normalise(
        [
            Record(
                "1", ("Kevin", "\u200b", "Durant", "in", "Paris"), ("B-PER", "I-PER", "I-PER", "O", "B-LOC")
            )
        ]
    )
    (found,) = collect_scores(model, posts)
    assert _known(found) == ["?", "?", "O", "B-LOC"]


def test_posts_without_words_are_left_out_and_unknown_types_named(tiny_encoder: Path) -> None:
    model = _model(tiny_encoder / "tokenizer.json")
    empty, strange = (
        normalise([Record("1", (token,), (tag,))], ["PER", "DRUG"])
        for token, tag in (("\u200b", "O"), ("x", "B-DRUG"))
    )
    assert collect_scores(model, empty) == []
    with pytest.raises(InputError, match="post 1: label B-DRUG is not one of the model's"):
        collect_scores(model, strange)


def test_a_saved_model_is_served_at_its_temperature_and_tells_its_threshold(
    tiny_encoder: Path, tiny_parts: Parts, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    network = ContextTagger(ContextTaggerSettings(), LABELS, tiny_parts).eval()
    limits = Limits(window=48, overlap=12, context=20)
    save_tagger(
        network, tmp_path, plugin="bert-crf", name="tiny", tokenizer=tiny_encoder / "tokenizer.json",
        vocabulary=None, limits=limits, metrics={}, card="",
    )  # fmt: skip
    post = FusionInput("Kevin Durant in Paris")

    def load() -> TaggerModel:
        saved = read_model(tmp_path, "model.safetensors")
        return served(saved, network, TorchTaggerConfig(), "cpu")

    plain = load()
    assert (plain.decoder.temperature, plain.look_threshold) == (1.0, 0.2)
    store_choices(tmp_path, temperature=2.5, look_threshold=0.3)
    tempered = load()
    assert tempered.look_threshold == 0.3
    (read,) = plain.word_scores([post])
    expected = plain.decoder.at(2.5).decode([read.emissions])[0]
    (tagging,) = tempered.tag([post])
    np.testing.assert_allclose(tagging.confidence, expected.confidence, atol=1e-6)
    assert tagging.uncertainty > plain.tag([post])[0].uncertainty


def test_an_exported_model_is_served_at_its_temperature_and_tells_its_threshold(tmp_path: Path) -> None:
    package = pytest.importorskip("streamproc_mner_tweets_sm", reason="needs an exported model")
    folder = tmp_path / "model"
    folder.mkdir()
    for path in package.MODEL.folder.iterdir():
        (folder / path.name).symlink_to(path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config | {"temperature": 1.0}))
    post = FusionInput("Jordan again, so proud of Georgia")
    plain = OnnxTagger(OnnxTaggerConfig(threads=1)).load(folder, "cpu")
    store_choices(folder, temperature=2.5, look_threshold=0.3)
    tempered = OnnxTagger(OnnxTaggerConfig(threads=1)).load(folder, "cpu")
    (read,) = plain.word_scores([post])
    expected = plain.decoder.at(2.5).decode([read.emissions])[0]
    (tagging,) = tempered.tag([post])
    assert tempered.look_threshold == 0.3
    np.testing.assert_allclose(tagging.confidence, expected.confidence, atol=1e-4)
    assert tagging.uncertainty > plain.tag([post])[0].uncertainty
