"""Labelled posts as a network is trained on them: windows with gold labels, in two views."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from streamproc.errors import InputError
from streamproc.fusion.api import FusionInput
from streamproc_mner.data.made_context import ContextMaker
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import Segment, segments_of
from streamproc_mner.nn.crf import UNKNOWN
from streamproc_mner.nn.inputs import Inputs, inputs_of
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.pictures import pad_pictures, picture_of
from streamproc_mner.recipes.recipe import Training
from streamproc_mner.tagging import Encoder
from streamproc_mner.training.batches import gold_of
from streamproc_mner.training.teachers import Taught
from streamproc_mner.windows import Window, pad

_NEAR: Final = 3.0
"""Posts whose lengths differ by up to this, in positions, may change places between batches."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one step of training reads: B windows.

    Attributes:
        inputs: as the network serves them; of the first B' where only these are read with what was
            seen in their pictures.
        text: all of them without, for networks that train on both views; `None` for others.
        gold: (B, T) label numbers, `UNKNOWN` where the data does not say and at padding.
        taught: (B, T, L) the teachers' posteriors, zeros at padding; `None` without teachers.
    """

    inputs: Inputs | None
    text: Inputs | None
    gold: Tensor
    taught: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class _Example:
    """One window of a post."""

    post: int
    window: Window
    place: int
    gold: tuple[int, ...]


class Examples:
    """Cuts labelled posts into steps, differently in each epoch, the same for the same seed.

    Args:
        posts: labelled posts; one of which the network can read nothing is left out.
        network: says what it reads, and in which views it is trained.
        encoder: encodes posts for it.
        training: how.
        seed: of order and of made contexts.
        device: where tensors go.
        taught: what teachers say of the posts.

    Raises:
        InputError: no post is left, or a post has a label that the network does not know.
    """

    def __init__(
        self,
        posts: Sequence[LabelledPost],
        network: Tagger,
        encoder: Encoder,
        training: Training,
        seed: int,
        device: torch.device,
        taught: Taught | None = None,
    ) -> None:
        self._posts = list(posts)
        self._taught = taught
        self._encoder = encoder
        self._reads = network.reads
        self._both = network.trains_on_both_views
        self._training = training
        self._seed = seed
        self._device = device
        number = {label: index for index, label in enumerate(network.labels)}
        self._examples = list(self._cut(number))
        if not self._examples:
            raise InputError("no post to train on: the network reads nothing of any of them")

    def __len__(self) -> int:
        """Windows."""
        return len(self._examples)

    @property
    def steps(self) -> int:
        """In an epoch."""
        return -(-len(self._examples) // self._training.batch)

    def epoch(self, number: int) -> Iterator[Step]:
        """The steps of an epoch: windows of similar length together, in random order.

        Args:
            number: of the epoch; each has an order, contexts and other posts' pictures of its own.
        """
        chance = random.Random(f"{self._seed}/{number}")
        maker = ContextMaker(self._posts, chance.randrange(2**32))
        givers = self._givers(chance)
        size = self._training.batch
        near = sorted(self._examples, key=lambda e: len(e.window.ids) + chance.uniform(-_NEAR, _NEAR))
        batches = [near[start : start + size] for start in range(0, len(near), size)]
        chance.shuffle(batches)
        for batch in batches:
            chance.shuffle(batch)  # the first of them are those whose pictures are looked at
            yield self._step(batch, maker, givers)

    def _step(self, batch: list[_Example], maker: ContextMaker, givers: Sequence[int]) -> Step:
        looked = round(self._training.context_share * len(batch))
        gold = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(example.gold) for example in batch], batch_first=True, padding_value=UNKNOWN
        ).to(self._device)
        if self._both:
            seen = self._inputs(batch[:looked], looked, maker, givers) if looked else None
            return Step(seen, self._inputs(batch, 0, maker, givers), gold, self._lesson(batch))
        return Step(self._inputs(batch, looked, maker, givers), None, gold, self._lesson(batch))

    def _lesson(self, batch: Sequence[_Example]) -> Tensor | None:
        if self._taught is None:
            return None
        rows = [torch.from_numpy(self._taught[e.post][e.window.words]) for e in batch]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(self._device)

    def _inputs(
        self, batch: Sequence[_Example], looked: int, maker: ContextMaker, givers: Sequence[int]
    ) -> Inputs:
        """A batch of which the first `looked` are read with what was seen in their pictures."""
        seen = [self._given(example, givers) for example in batch[:looked]]
        blind = [FusionInput("")] * (len(batch) - looked)
        contexts = [
            self._context(self._posts[e.post], given, maker) for e, given in zip(batch, seen, strict=False)
        ]
        windows = self._windows(batch, [*contexts, *([()] * len(blind))])
        need = self._reads.picture
        pictures = [picture_of(given, need) for given in (*seen, *blind)] if need else []
        return inputs_of(pad(windows), pad_pictures(pictures, need) if need else None, self._device)

    def _context(self, post: LabelledPost, given: FusionInput, maker: ContextMaker) -> Sequence[Segment]:
        if self._training.context == "made":
            return [segment for segment in maker.make(post) if segment.kind in self._reads.kinds]
        return segments_of(given, self._reads.kinds)

    def _given(self, example: _Example, givers: Sequence[int]) -> FusionInput:
        return self._posts[givers[example.post]].as_input("image+text")

    def _windows(self, batch: Sequence[_Example], contexts: Sequence[Sequence[Segment]]) -> list[Window]:
        """The batch's windows with these contexts behind them; those without were encoded before."""
        rows = [row for row, context in enumerate(contexts) if context]
        words = [self._posts[batch[row].post].words for row in rows]
        encoded = self._encoder.encode(words, [contexts[row] for row in rows]) if rows else []
        windows = [example.window for example in batch]
        for row, post in zip(rows, encoded, strict=True):
            windows[row] = post.windows[batch[row].place]
        return windows

    def _givers(self, chance: random.Random) -> Sequence[int]:
        """Whose picture each post is given: its own, or another post's."""
        order = list(range(len(self._posts)))
        if self._training.pictures == "another" and len(order) > 1:
            chance.shuffle(order)
            turned = [*order[1:], order[0]]
            return [giver for _, giver in sorted(zip(order, turned, strict=True))]
        return order

    def _cut(self, number: dict[str, int]) -> Iterator[_Example]:
        encoded = self._encoder.encode([post.words for post in self._posts], [()] * len(self._posts))
        for index, (post, read) in enumerate(zip(self._posts, encoded, strict=True)):
            for place, window in enumerate(read.windows):
                if len(window.words):
                    gold = gold_of(post, window.words.tolist(), number)
                    yield _Example(index, window, place, tuple(gold))
