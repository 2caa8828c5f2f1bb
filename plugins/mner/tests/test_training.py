"""Training: made contexts, targets, the objective, one tiny epoch, averaging."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.made_context import ContextMaker
from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import Record
from streamproc_mner.data.visual_context import Segment
from streamproc_mner.evaluation.spans import evaluate_spans
from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.cross_view import cross_view_alignment
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.training.batches import LabelledBatches, target_of, view_of
from streamproc_mner.training.loop import TrainingConfig, averaged, train
from streamproc_mner.training.objective import ita_loss
from streamproc_mner.training.prediction import predict
from streamproc_mner.windows import Limits

LABELS = bio_labels(ENTITY_TYPES)
_CAPTIONS = {"one": "a man with a dog in the photo", "two": "a photo of a stadium"}
SETTINGS = ContextTaggerSettings(context=("alt", "ocr", "captions"), kind_embedding=True, word_shapes=True)
_RATES = {"encoder_rate": 1e-3, "input_rate": 1e-3, "head_rate": 2e-2}


@pytest.fixture
def posts() -> list[LabelledPost]:
    records = [
        Record("1", ("Kevin", "Durant", "in", "Paris"), ("B-PER", "I-PER", "O", "B-LOC"), _CAPTIONS),
        Record("2", ("@", "warriors", "at", "the", "stadium"), ("O", "B-ORG", "O", "O", "O"), _CAPTIONS),
        Record("3", ("Harry", "Potter", "is", "a", "dog"), ("B-MISC", "I-MISC", "O", "O", "O")),
        Record("4", ("news", "of", "London"), ("O", "O", "B-LOC"), _CAPTIONS),
    ]
    return normalise(records)


@pytest.fixture
def network(tiny_parts: Parts) -> ContextTagger:
    torch.manual_seed(2)
    return ContextTagger(SETTINGS, LABELS, tiny_parts)


@pytest.fixture
def encoder(tiny_encoder: Path) -> PostEncoder:
    return PostEncoder.from_file(tiny_encoder / "tokenizer.json", Limits(window=64, overlap=8, context=32))


def test_made_context_changes_by_draw_and_repeats_by_seed(posts: list[LabelledPost]) -> None:
    first, again = ContextMaker(posts, 1), ContextMaker(posts, 1)
    made = [first.make(posts[0]) for _ in range(200)]
    assert made == [again.make(posts[0]) for _ in range(200)]
    assert {segment.kind for context in made for segment in context} == {"alt", "captions", "ocr"}
    assert all(context and all(segment.text for segment in context) for context in made)


def test_without_captions_only_writing_is_made(posts: list[LabelledPost]) -> None:
    maker = ContextMaker(posts, 1)
    assert {s.kind for _ in range(50) for s in maker.make(posts[2])} == {"ocr"}


def test_labels_that_the_data_set_does_not_give_are_unknown(encoder: PostEncoder) -> None:
    kept = normalise([Record("1", ("thanks", "@nasa", "Paris"), ("O", "O", "B-LOC"))])
    target = target_of(kept, encoder.encode([kept[0].words], [()]), LABELS)
    assert target.gold.tolist() == [[0, 0, UNKNOWN, LABELS.index("B-LOC")]]


def test_the_loss_is_both_views_and_their_alignment(
    network: ContextTagger, encoder: PostEncoder, posts: list[LabelledPost]
) -> None:
    network.eval()
    encoded = encoder.encode([post.words for post in posts], [()] * len(posts))
    rows = torch.tensor([0, 3])
    contexts = [[Segment("captions", "a man with a dog")], [Segment("ocr", "nba")]]
    seen = encoder.encode([posts[0].words, posts[3].words], contexts)
    target = target_of(posts, encoded, LABELS)
    found = ita_loss(network, view_of(encoded), view_of(seen), target, rows)

    crf, text, image = (
        network.crf,
        network(view_of(encoded)).emissions,
        network(view_of(seen)).emissions,
    )
    text_losses = [
        -crf.log_likelihood(text[i : i + 1], target.gold[i : i + 1], target.mask[i : i + 1])
        for i in range(4)
    ]
    expected = torch.cat(text_losses).mean()
    aligned, image_losses = [], []
    for place, row in enumerate(rows.tolist()):
        length = int(target.mask[row].sum())
        gold, mask = target.gold[row : row + 1, :length], target.mask[row : row + 1, :length]
        view, plain = image[place : place + 1, :length], text[row : row + 1, :length]
        image_losses.append(-crf.log_likelihood(view, gold, mask))
        goal, learner = crf.log_posteriors(view, mask), crf.log_posteriors(plain, mask)
        aligned.append(cross_view_alignment(learner, goal, mask))
    expected = expected + torch.cat(image_losses).mean() + torch.cat(aligned).mean()
    assert found.item() == pytest.approx(expected.item(), abs=1e-4)


def test_each_epoch_has_every_post_once(encoder: PostEncoder, posts: list[LabelledPost]) -> None:
    batches = LabelledBatches(posts, encoder, size=3, seed=1)
    for _ in range(3):
        epoch = list(batches.epoch())
        assert len(epoch) == len(batches) == 2
        assert sorted(post.text for batch in epoch for post, _ in batch) == sorted(p.text for p in posts)


def _train(
    network: ContextTagger, encoder: PostEncoder, posts: list[LabelledPost], folder: Path, epochs: int
) -> tuple[list[Path], list[float]]:
    losses: list[float] = []
    config = TrainingConfig(epochs=epochs, batch=2, seed=5, **_RATES)
    torch.manual_seed(5)
    batches = LabelledBatches(posts, encoder, config.batch, config.seed)
    maker = ContextMaker(posts, config.seed)
    saved = train(network, batches, maker, LABELS, config, folder, lambda _, loss: losses.append(loss))
    return saved, losses


def test_training_learns_four_posts_by_heart(
    network: ContextTagger, encoder: PostEncoder, posts: list[LabelledPost], tmp_path: Path
) -> None:
    saved, losses = _train(network, encoder, posts, tmp_path, 60)
    assert losses[-1] < losses[0] / 5
    assert len(saved) == 60
    for contexts in ([[]] * 4, [[Segment("captions", "a man with a dog")]] * 4):
        found = predict(network.eval(), posts, contexts, encoder, LABELS)
        assert evaluate_spans(posts, found).overall.f1 == 1.0


def test_the_same_seed_gives_the_same_weights(
    tiny_parts: Parts, encoder: PostEncoder, posts: list[LabelledPost], tmp_path: Path
) -> None:
    saved = []
    for name in ("a", "b"):
        torch.manual_seed(3)
        network = ContextTagger(SETTINGS, LABELS, tiny_parts)
        saved += _train(network, encoder, posts, tmp_path / name, 1)[0]
    first, second = (load_file(path) for path in saved)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_averaged_weights_are_their_mean(
    network: ContextTagger, encoder: PostEncoder, posts: list[LabelledPost], tmp_path: Path
) -> None:
    saved, _ = _train(network, encoder, posts, tmp_path, 2)
    mean, (one, two) = averaged(saved), (load_file(path) for path in saved)
    name = random.Random(1).choice(sorted(mean))
    torch.testing.assert_close(mean[name], (one[name] + two[name]) / 2)
    assert not torch.equal(one["output.weight"], two["output.weight"])
