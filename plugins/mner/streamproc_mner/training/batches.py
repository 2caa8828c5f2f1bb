"""Labelled posts as tensors, in batches of similar length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import Segment
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


def target_of(
    posts: Sequence[LabelledPost], encoded: Sequence[EncodedPost], labels: Sequence[str]
) -> Target:
    """What the network should say of these posts' words."""
    number = {label: index for index, label in enumerate(labels)}
    counts = [len(post.windows[0].firsts) for post in encoded]
    gold = torch.zeros((len(posts), max(1, *counts)), dtype=torch.int64)
    mask = torch.zeros_like(gold, dtype=torch.bool)
    for row, (post, kept, count) in enumerate(zip(posts, (e.kept for e in encoded), counts, strict=True)):
        names = labels_of(post.spans, len(post.words))
        known = [
            UNKNOWN if word in post.mentions and not post.mentions_labelled else number[names[word]]
            for word in kept[:count]
        ]
        gold[row, :count] = torch.tensor(known)
        mask[row, :count] = True
    return Target(gold, mask)


class LabelledBatches:
    """Cuts a training set into batches, differently in each epoch.

    Args:
        posts: the training set.
        encoder: encodes them.
        size: posts in a batch.
        seed: of the order.
    """

    def __init__(self, posts: Sequence[LabelledPost], encoder: PostEncoder, size: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._encoder = encoder
        self._size = size
        encoded = self.encode(posts)
        usable = [(post, read) for post, read in zip(posts, encoded, strict=True) if len(read.kept)]
        self._posts = sorted(usable, key=lambda pair: len(pair[1].windows[0].ids))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return (len(self._posts) + self._size - 1) // self._size

    def encode(
        self, posts: Sequence[LabelledPost], contexts: Sequence[Sequence[Segment]] | None = None
    ) -> list[EncodedPost]:
        """Encode posts, with contexts or without."""
        return self._encoder.encode([post.words for post in posts], contexts or [()] * len(posts))

    def epoch(self) -> Iterator[list[tuple[LabelledPost, EncodedPost]]]:
        """Batches of posts of similar length, in random order."""
        near = sorted(
            self._posts, key=lambda pair: len(pair[1].windows[0].ids) + self._random.uniform(-3.0, 3.0)
        )
        batches = [near[start : start + self._size] for start in range(0, len(near), self._size)]
        self._random.shuffle(batches)
        yield from batches
