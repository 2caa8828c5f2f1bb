"""The plugin `ita` on a tiny trained model: save, load elsewhere, mixed batches, settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModel

from streamproc.errors import PluginError
from streamproc.fusion.api import FusionInput, FusionModel, Missing, Need, Seen, Tagging
from streamproc.testing.contract import CHECKS
from streamproc.vision.visuals import Captions, OcrLine, OcrText
from streamproc_ita.plugin import Ita
from streamproc_ita.tagger import ItaSettings, ItaTagger
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import normalise
from streamproc_mner.data.records import Record
from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.stored import save_tagger, without_pooler
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.serving_config import TorchTaggerConfig
from streamproc_mner.tagging import TaggerModel
from streamproc_mner.training.examples import Examples
from streamproc_mner.training.optimizing import make_optimizer
from streamproc_mner.windows import Limits

LABELS = bio_labels(ENTITY_TYPES)
LIMITS = Limits(window=48, overlap=12, context=20)
KINDS = ("alt", "ocr", "captions")
RECORDS = [
    Record("1", ("Kevin", "Durant", "in", "Paris"), ("B-PER", "I-PER", "O", "B-LOC"), {"x": "a man"}),
    Record("2", ("Harry", "Potter", "is", "a", "dog"), ("B-MISC", "I-MISC", "O", "O", "O")),
]


@pytest.fixture(scope="module")
def folder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained for one epoch on two posts, and saved."""
    torch.manual_seed(1)
    parts = Parts(lambda role, name: without_pooler(AutoModel.from_pretrained(tiny_encoder)))
    network = ItaTagger(ItaSettings(context=KINDS, kind_embedding=True, word_shapes=True), LABELS, parts)
    assert network.kind is not None
    with torch.no_grad():
        network.kind.weight.normal_()
        network.output.weight.normal_(std=0.5)
    tokenizer = tiny_encoder / "tokenizer.json"
    posts = normalise(RECORDS)
    training = Training(epochs=1, batch=2, context="made", encoder_rate=1e-4, head_rate=5e-3)
    reader, cpu = PostEncoder.from_file(tokenizer, LIMITS), torch.device("cpu")
    optimizer = make_optimizer(network, training)
    for step in Examples(posts, network, reader, training, 1, cpu).epoch(1):
        assert step.inputs is not None
        network.loss(step.inputs, step.gold, step.text).backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_tagger(
        network,
        folder,
        plugin="ita",
        name="tiny-ita",
        tokenizer=tokenizer,
        vocabulary=None,
        limits=LIMITS,
        metrics={},
        card="# tiny\n",
    )
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> TaggerModel:
    return Ita(TorchTaggerConfig(batch_tokens=128)).load(folder, "cpu")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def _with_picture(text: str) -> FusionInput:
    writing = OcrText((OcrLine("NBA news tonight", 0.9, (0.0, 0.0, 1.0, 1.0)),))
    captions = Captions(("a man with a dog", "a photo of a man"), (-0.1, -0.2))
    return FusionInput(text, visuals={"ocr": Seen((writing,)), "captions": Seen((captions,))})


POSTS = [
    FusionInput("Kevin Durant in Paris"),
    _with_picture("Kevin Durant in Paris"),
    FusionInput("x"),
    FusionInput("\u200b"),
    FusionInput(""),
    _with_picture("harry potter at the google stadium in london " * 12),
    FusionInput("NASA", visuals={"ocr": Missing("unavailable", "fetch failed")}),
]


def _same(left: Tagging, right: Tagging) -> None:
    assert [(e.text, e.type, e.start, e.end) for e in left.entities] == [
        (e.text, e.type, e.start, e.end) for e in right.entities
    ]
    scores = [[e.score for e in tagging.entities] for tagging in (left, right)]
    np.testing.assert_allclose(*scores, atol=1e-4)
    np.testing.assert_allclose(left.confidence, right.confidence, atol=1e-4)
    assert left.uncertainty == pytest.approx(right.uncertainty, abs=1e-4)


def test_a_mixed_batch_gives_each_post_what_it_gets_alone(model: TaggerModel) -> None:
    together = model.tag(POSTS)
    assert any(tagging.entities for tagging in together)
    assert together[0].confidence != together[1].confidence
    for post, tagging in zip(POSTS, together, strict=True):
        _same(tagging, model.tag([post])[0])


def test_text_posts_and_picture_posts_share_one_forward(folder: Path) -> None:
    model = Ita(TorchTaggerConfig()).load(folder, "cpu")
    score, sizes = model._network.score, []

    def counted(batch, pictures):  # type: ignore[no-untyped-def]
        sizes.append(len(batch.ids))
        return score(batch, pictures)

    model._network.score = counted  # type: ignore[method-assign]
    model.tag(POSTS[:4])
    assert sizes == [4]


def test_a_fresh_process_gives_the_same_output(folder: Path, model: TaggerModel) -> None:
    script = (
        "import json, sys; from pathlib import Path\n"
        "from streamproc.fusion.api import FusionInput\n"
        "from streamproc_ita.plugin import Ita\n"
        "from streamproc_mner.serving_config import TorchTaggerConfig\n"
        "model = Ita(TorchTaggerConfig()).load(Path(sys.argv[1]), 'cpu')\n"
        "(tagging,) = model.tag([FusionInput('Kevin Durant in Paris')])\n"
        "entities = [[e.text, e.type, e.score] for e in tagging.entities]\n"
        "print(json.dumps([entities, tagging.confidence]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True, timeout=300
    )
    entities, confidence = json.loads(done.stdout.splitlines()[-1])
    (tagging,) = model.tag([FusionInput("Kevin Durant in Paris")])
    assert [entity[:2] for entity in entities] == [[e.text, e.type] for e in tagging.entities]
    np.testing.assert_allclose(confidence, tagging.confidence, atol=1e-5)


def test_what_is_fed_are_a_setting(folder: Path, model: TaggerModel) -> None:
    assert model.modalities == dict.fromkeys(KINDS, Need.OPTIONAL)
    blind = Ita(TorchTaggerConfig(modalities=())).load(folder, "cpu")
    assert blind.modalities == {}
    _same(blind.tag(POSTS[1:2])[0], model.tag(POSTS[:1])[0])
    with pytest.raises(PluginError, match=r"modalities: objects: .* was trained on alt, ocr, captions"):
        Ita(TorchTaggerConfig(modalities=("objects",))).load(folder, "cpu")


def test_unknown_settings_and_devices_are_refused(folder: Path) -> None:
    with pytest.raises(ValidationError, match="colour"):
        TorchTaggerConfig(colour="red")  # type: ignore[call-arg]
    for device in ("tpu", "cuda:99"):
        with pytest.raises(PluginError, match=f"device '{device}' cannot be used"):
            Ita(TorchTaggerConfig()).load(folder, device)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_keeps_the_contract_of_every_plugin(
    model: TaggerModel, check: Callable[[FusionModel], None]
) -> None:
    check(model)


def test_empty_batch_and_empty_post(model: TaggerModel) -> None:
    assert model.tag([]) == []
    assert model.tag([FusionInput("")]) == [Tagging((), (), 0.0)]


def test_broken_weights_are_refused(copy: Path) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PluginError, match="corrupt, cut short or of another model"):
        Ita(TorchTaggerConfig()).load(copy, "cpu")


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"model_type": "no-such"}, "encoders.text"),
        ({"model_type": "bert", "hidden_size": 48}, "not the weights"),
    ],
)
def test_weights_of_another_network_are_refused(
    copy: Path, encoder: dict[str, object], message: str
) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["encoders"]["text"] = encoder
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(PluginError, match=message):
        Ita(TorchTaggerConfig()).load(copy, "cpu")
