"""Labelled posts as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamproc.errors import InputError
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.labels import labels_of
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.inputs import Inputs, inputs_of
from streamproc_mner.pictures import PictureBatch
from streamproc_mner.windows import EncodedPost, pad


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Gold labels (B, T), `UNKNOWN` where the data set does not say, and the mask of words (B, T)."""

    gold: Tensor
    mask: Tensor


def view_of(encoded: Sequence[EncodedPost], pictures: PictureBatch | None = None) -> Inputs:
    """Posts as one batch; of a post in several windows, the first one (training posts have one)."""
    return inputs_of(pad([post.windows[0] for post in encoded]), pictures)


def gold_of(post: LabelledPost, words: Sequence[int], number: Mapping[str, int]) -> list[int]:
    """The label numbers of some of a post's words, `UNKNOWN` where the data set does not say.

    Raises:
        InputError: one of its labels has no number; names both.
    """
    names = labels_of(post.spans, len(post.words))
    if strange := sorted(set(names) - number.keys()):
        raise InputError(
            f"post {post.id}: label {strange[0]} is not one of the model's: {', '.join(number)}"
        )
    return [
        UNKNOWN if word in post.mentions and not post.mentions_labelled else number[names[word]]
        for word in words
    ]


def target_of(
    posts: Sequence[LabelledPost], encoded: Sequence[EncodedPost], labels: Sequence[str]
) -> Target:
    """What the network should say of these posts' words."""
    number = {label: index for index, label in enumerate(labels)}
    counts = [len(post.windows[0].firsts) for post in encoded]
    gold = torch.zeros((len(posts), max(1, *counts)), dtype=torch.int64)
    mask = torch.zeros_like(gold, dtype=torch.bool)
    for row, (post, kept, count) in enumerate(zip(posts, (e.kept for e in encoded), counts, strict=True)):
        gold[row, :count] = torch.tensor(gold_of(post, kept[:count].tolist(), number))
        mask[row, :count] = True
    return Target(gold, mask)
