"""Teaching a tiny network made posts, and asking it through its plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from streamproc.fusion.api import FusionInput, FusionModel
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import segments_of
from streamproc_mner.labels import Span
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.pictures import pad_pictures, picture_of
from streamproc_mner.tagging import Encoder
from streamproc_mner.torch_serving import encoder_of
from streamproc_mner.training.batches import target_of, view_of
from streamproc_mner.training.prediction import decoded
from streamproc_mner.windows import EncodedPost
from streamproc_mner.words import words_of
from tests.recipes.made_posts import MadePost, PostMaker, f1, shuffled, without_pictures
from tests.recipes.tiny import LIMITS, WIDTH, Tiny

BATCH: Final = 32
RATE: Final = 4e-3
MOST_STEPS: Final = 600
CHECKED_EVERY: Final = 25


@dataclass(frozen=True, slots=True)
class Learnt:
    """F1 of a trained network on posts that it has not seen (or, for text, on those that it has).

    Attributes:
        steps: of training.
        own: each post with its picture.
        other: with another post's picture.
        none: without pictures.
    """

    steps: int
    own: float
    other: float
    none: float


def learn(tiny: Tiny, folder: Path) -> Learnt:
    """Teach a network that uses pictures to read them; posts in which only the picture tells."""
    maker = PostMaker(tiny.recipe.modalities, WIDTH, seed=5)
    train, dev, test = maker.make(640), maker.make(160), maker.make(160)
    steps = _train(tiny, train, dev, enough=0.995)
    model = tiny.save(folder)
    scores = [score(model, posts) for posts in (test, shuffled(test), without_pictures(test))]
    return Learnt(steps, *scores)


def overfit(tiny: Tiny, folder: Path) -> Learnt:
    """Teach a network 32 posts by heart, in its text view."""
    different = {made.post.text: made for made in PostMaker((), WIDTH, seed=5).make(64)}
    posts = list(different.values())[:32]
    steps = _train(tiny, posts, posts, enough=1.0)
    reached = score(tiny.save(folder), posts)
    return Learnt(steps, reached, reached, reached)


def score(model: FusionModel, posts: Sequence[MadePost]) -> float:
    """F1 of a served model."""
    taggings = model.tag([made.post for made in posts])
    return f1([frozenset((e.start, e.end, e.type) for e in t.entities) for t in taggings], posts)


def _train(tiny: Tiny, posts: Sequence[MadePost], judged: Sequence[MadePost], enough: float) -> int:
    """Train until the judged posts are tagged well enough; returns the steps."""
    network, reader = (
        tiny.network.train(),
        encoder_of(tiny.network, tiny.tokenizer, tiny.vocabulary, LIMITS),
    )
    for module in network.modules():  # learning this is no question of regularisation
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    examples = _Examples(network, reader, posts)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 20))
    order = torch.Generator().manual_seed(0)
    for step in range(1, MOST_STEPS + 1):
        rows = torch.randperm(len(posts), generator=order)[:BATCH].tolist()
        optimizer.zero_grad()
        examples.loss(rows).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % CHECKED_EVERY == 0 and _judge(network, reader, judged) >= enough:
            break
    network.eval()
    return step


class _Examples:
    """Labelled posts for one network."""

    def __init__(self, network: Tagger, reader: Encoder, posts: Sequence[MadePost]) -> None:
        self._network = network
        self._posts = [_labelled(made) for made in posts]
        self._inputs = [made.post for made in posts]
        words = [post.words for post in self._posts]
        self._seen = reader.encode(words, [segments_of(p, network.reads.kinds) for p in self._inputs])
        self._unseen = reader.encode(words, [()] * len(words))

    def loss(self, rows: Sequence[int]) -> torch.Tensor:
        """Of some of the posts."""
        posts, seen = [self._posts[row] for row in rows], [self._seen[row] for row in rows]
        target = target_of(posts, seen, self._network.labels)
        text = None
        if self._network.trains_on_both_views:
            text = _view(self._network, [self._unseen[r] for r in rows], [FusionInput("")] * len(rows))
        inputs = _view(self._network, seen, [self._inputs[row] for row in rows])
        return self._network.loss(inputs, target.gold, text)


def _view(network: Tagger, encoded: Sequence[EncodedPost], posts: Sequence[FusionInput]) -> Inputs:
    need = network.reads.picture
    pictures = pad_pictures([picture_of(post, need) for post in posts], need) if need else None
    return view_of(encoded, pictures)


@torch.no_grad()
def _judge(network: Tagger, reader: Encoder, posts: Sequence[MadePost]) -> float:
    """1 - wrong labels ÷ named words: enough to know when to stop."""
    network.eval()
    labelled = [_labelled(made) for made in posts]
    kinds = network.reads.kinds
    encoded = reader.encode([p.words for p in labelled], [segments_of(m.post, kinds) for m in posts])
    inputs = _view(network, encoded, [made.post for made in posts])
    target = target_of(labelled, encoded, network.labels)
    paths = decoded(network, inputs)
    network.train()
    gold = [row[mask].tolist() for row, mask in zip(target.gold, target.mask, strict=True)]
    pairs = [pair for path, row in zip(paths, gold, strict=True) for pair in zip(path, row, strict=True)]
    named = sum(right > 0 for _, right in pairs)
    return 1.0 - sum(found != right for found, right in pairs) / max(1, named)


def _labelled(made: MadePost) -> LabelledPost:
    text = made.post.text
    words = words_of(text)
    starts, ends = [word.start for word in words], [word.end for word in words]
    spans: list[Span] = [
        Span(starts.index(start), ends.index(end) + 1, kind) for start, end, kind in sorted(made.gold)
    ]
    return LabelledPost(text, tuple(words), tuple(spans), frozenset(), True, {})
