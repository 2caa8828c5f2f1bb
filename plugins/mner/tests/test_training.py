"""Training: made contexts, targets, the objective, averaged weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.made_context import ContextMaker
from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import Record
from streamproc_mner.data.visual_context import Segment
from streamproc_mner.labels import ENTITY_TYPES, bio_labels
from streamproc_mner.nn.context_tagger import ContextTagger, ContextTaggerSettings
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.cross_view import cross_view_alignment
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.training.batches import target_of, view_of
from streamproc_mner.training.checkpoints import Checkpoints
from streamproc_mner.training.objective import ita_loss
from streamproc_mner.training.optimizing import make_optimizer, make_schedule
from streamproc_mner.windows import Limits

LABELS = bio_labels(ENTITY_TYPES)
_CAPTIONS = {"one": "a man with a dog in the photo", "two": "a photo of a stadium"}
SETTINGS = ContextTaggerSettings(context=("alt", "ocr", "captions"), kind_embedding=True, word_shapes=True)


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


def test_averaged_weights_are_their_mean(network: ContextTagger, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    optimizer = make_optimizer(network, Training())
    schedule = make_schedule(optimizer, 4, 0.1)
    kept = []
    for epoch in (1, 2):
        with torch.no_grad():
            network.output.weight.fill_(float(epoch))
        checkpoints.save(epoch, network, optimizer, schedule, {"epoch": epoch, "dev_f1": 1.0})
        kept.append(checkpoints.load(epoch))
    mean = checkpoints.averaged([1, 2])
    assert set(mean) == set(kept[0])
    assert mean["output.weight"].unique().tolist() == [1.5]
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, (kept[0][name] + kept[1][name]) / 2)
