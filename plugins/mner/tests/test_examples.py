"""Labelled posts as steps of training: order, views, gold labels, whose picture, which context."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra")

import numpy as np
import torch

from streamproc.errors import InputError
from streamproc.vision.visuals import Captions, Modality, Seen, Visual
from streamproc_ita.tagger import ItaSettings, ItaTagger
from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import Record
from streamproc_mner.labels import bio_labels
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.tagger import Parts
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.training.examples import Examples, Step
from streamproc_mner.windows import Limits

LABELS = bio_labels(("PER", "LOC"))
CPU = torch.device("cpu")


def posts(count: int = 12) -> list[LabelledPost]:
    """Posts of 1 to `count` words, each with a caption of its own."""
    made = []
    for number in range(count):
        tokens = ("kevin", *("dog",) * number)
        record = Record(str(number), tokens, ("B-PER", *("O",) * number))
        caption = Captions((f"photo {'of ' * number}",), (0.0,))
        seen: dict[Modality, Visual] = {"captions": Seen((caption,))}
        made.append(replace(normalise([record], ("PER", "LOC"))[0], visuals=seen))
    return made


def make(
    parts: Parts,
    encoder: Path,
    given: list[LabelledPost],
    *,
    seed: int = 1,
    objective: str = "cross-view-alignment",
    limits: Limits | None = None,
    **training: object,
) -> Examples:
    settings = ItaSettings(context=("captions",), objective=objective)  # type: ignore[arg-type]
    network = ItaTagger(settings, LABELS, parts)
    reader = PostEncoder.from_file(
        encoder / "tokenizer.json", limits or Limits(window=64, overlap=8, context=16)
    )
    return Examples(given, network, reader, Training(**{"batch": 4, **training}), seed, CPU)  # type: ignore[arg-type]


def lengths(steps: list[Step]) -> list[int]:
    """Words of each post, in the order of training."""
    return [int(count) for step in steps if step.text for count in step.text.words.sum(dim=1)]


def test_an_epoch_has_every_post_once_and_its_order_follows_seed_and_number(
    tiny_parts: Parts, tiny_encoder: Path
) -> None:
    examples = make(tiny_parts, tiny_encoder, posts())
    assert (len(examples), examples.steps) == (12, 3)
    first = lengths(list(examples.epoch(1)))
    assert sorted(first) == list(range(1, 13))
    assert lengths(list(make(tiny_parts, tiny_encoder, posts()).epoch(1))) == first
    assert lengths(list(examples.epoch(2))) != first
    assert lengths(list(make(tiny_parts, tiny_encoder, posts(), seed=2).epoch(1))) != first


def test_posts_of_similar_length_go_together(tiny_parts: Parts, tiny_encoder: Path) -> None:
    steps = list(make(tiny_parts, tiny_encoder, posts(40)).epoch(1))
    spread = [int(np.ptp(step.text.words.sum(dim=1).numpy())) for step in steps if step.text]
    assert max(spread) <= 10, "of 40 lengths, in batches of 4 whose borders move by 3"


def test_the_first_of_a_batch_are_read_with_what_was_seen(tiny_parts: Parts, tiny_encoder: Path) -> None:
    for step in make(tiny_parts, tiny_encoder, posts(), context_share=0.5).epoch(1):
        assert step.text is not None
        assert step.inputs is not None
        assert (len(step.text.ids), len(step.inputs.ids)) == (4, 2)
        assert not step.text.kinds.any()
        assert step.inputs.kinds.any(dim=1).all()
        first = step.text.words[:2].sum(dim=1)
        assert torch.equal(step.inputs.words.sum(dim=1), first), "the same posts in the same order"


def test_without_any_look_there_is_the_text_view_alone(tiny_parts: Parts, tiny_encoder: Path) -> None:
    for step in make(tiny_parts, tiny_encoder, posts(), context_share=0.0).epoch(1):
        assert step.inputs is None
        assert step.text is not None


def test_a_network_of_one_view_reads_those_without_a_look_blind(
    tiny_parts: Parts, tiny_encoder: Path
) -> None:
    examples = make(tiny_parts, tiny_encoder, posts(), objective="image+text", context_share=0.5)
    for step in examples.epoch(1):
        assert step.text is None
        assert step.inputs is not None
        assert step.inputs.kinds.any(dim=1).tolist() == [True, True, False, False]


def test_another_posts_picture_is_never_ones_own(tiny_parts: Parts, tiny_encoder: Path) -> None:
    for epoch in range(1, 4):
        for step in make(tiny_parts, tiny_encoder, posts(), pictures="another").epoch(epoch):
            assert step.inputs is not None
            words = step.inputs.words.sum(dim=1)
            told = (step.inputs.kinds > 0).sum(dim=1)
            own = words + 1  # "photo", an "of" for each word but the first, and the separator
            assert not (told == own).any()


def test_made_context_differs_by_epoch_and_is_of_the_networks_kinds(
    tiny_parts: Parts, tiny_encoder: Path
) -> None:
    given = [replace(post, captions={"one": "a dog in a photo of london"}) for post in posts()]
    examples = make(tiny_parts, tiny_encoder, given, context="made")
    kinds = [
        {int(k) for s in examples.epoch(e) if s.inputs for k in s.inputs.kinds.unique()} for e in (1, 2)
    ]
    assert kinds == [{0, 3}, {0, 3}], "captions alone, which this network reads"


def test_gold_labels_stand_at_their_words_and_what_is_not_known_is_unknown(
    tiny_parts: Parts, tiny_encoder: Path
) -> None:
    record = Record("1", ("@nasa", "kevin", "in", "paris"), ("O", "B-PER", "O", "B-LOC"))
    (step,) = make(tiny_parts, tiny_encoder, normalise([record], ("PER", "LOC"))).epoch(1)
    numbers = {label: number for number, label in enumerate(LABELS)}
    assert step.gold.tolist() == [[0, UNKNOWN, numbers["B-PER"], 0, numbers["B-LOC"]]], "@, then the name"


def test_a_post_longer_than_a_window_is_trained_on_to_its_end(
    tiny_parts: Parts, tiny_encoder: Path
) -> None:
    tokens = ("dog",) * 40 + ("kevin",)
    long = normalise([Record("1", tokens, ("O",) * 40 + ("B-PER",))], ("PER", "LOC"))
    limits = Limits(window=24, overlap=6, context=0)
    (step,) = make(tiny_parts, tiny_encoder, long, limits=limits).epoch(1)
    assert len(step.gold) > 1
    assert (step.gold == LABELS.index("B-PER")).sum() == 1
    read = (step.gold != UNKNOWN).sum()
    assert read >= 41


def test_a_label_that_the_network_does_not_know_is_named(tiny_parts: Parts, tiny_encoder: Path) -> None:
    strange = normalise([Record("7", ("nasa",), ("B-ORG",))])
    with pytest.raises(InputError, match=r"post 7: label B-ORG is not one of the model's: O, B-PER"):
        make(tiny_parts, tiny_encoder, strange)
