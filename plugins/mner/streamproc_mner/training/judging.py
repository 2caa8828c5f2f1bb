"""Scores of a network in training: tagged as it will be served, in each view that it was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import torch

from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.decoding import Decoder
from streamproc_mner.evaluation.contexts import in_contexts
from streamproc_mner.evaluation.predictions import predict_posts
from streamproc_mner.evaluation.spans import evaluate_spans
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.tagging import Encoder, TaggerModel
from streamproc_mner.torch_serving import TorchNetwork

DEV_F1: Final = "dev_f1"
_BATCH_TOKENS: Final = 4096

Views = Mapping[str, Sequence[LabelledPost]]
"""Posts by the view in which they are read: `text` without what was seen, others with it."""


def views_of(posts: Sequence[LabelledPost], network: Tagger, context: str) -> Views:
    """The views in which a network is judged.

    A network that sees nothing, or posts without anything to see, have the text view alone; one that is
    trained with pictures only (`trains_on_both_views` is false) has `image+text` alone.

    Args:
        posts: of one data set.
        network: says what it reads.
        context: `made`: the text view and one for each kind of made context.
    """
    blind = [replace(post, visuals={}) for post in posts]
    reads = {*network.reads.kinds, *((network.reads.picture.modality,) if network.reads.picture else ())}
    if context == "made":
        return {name if name != "none" else "text": given for name, given in in_contexts(posts).items()}
    if not any(reads.intersection(post.visuals) for post in posts):
        return {"text": blind}
    if network.trains_on_both_views:
        return {"text": blind, "image+text": posts}
    return {"image+text": posts}


class Judging:
    """Scores a network on the dev posts of its data sets.

    Args:
        network: that is trained.
        encoder: encodes posts for it.
        views: of the dev posts, by data set.
        device: where the network is.
    """

    def __init__(
        self, network: Tagger, encoder: Encoder, views: Mapping[str, Views], device: torch.device
    ) -> None:
        self._network = network
        self._encoder = encoder
        self._views = views
        self._device = device

    def __call__(self) -> dict[str, float]:
        """F1 in percent by data set and view, and their mean as `dev_f1`."""
        model = as_served(self._network, self._encoder, self._device)
        scores = {
            f"{name}/{view}": round(100 * _f1(model, posts), 4)
            for name, views in self._views.items()
            for view, posts in views.items()
        }
        return {DEV_F1: round(sum(scores.values()) / len(scores), 4), **scores}


def _f1(model: TaggerModel, posts: Sequence[LabelledPost]) -> float:
    predicted = predict_posts(model, posts, "image+text")
    return evaluate_spans(posts, [[scored.span for scored in post.spans] for post in predicted]).overall.f1


def as_served(
    network: Tagger, encoder: Encoder, device: torch.device, temperature: float = 1.0
) -> TaggerModel:
    """A network that tags as it will once it is saved, in float32."""
    reads = network.reads
    return TaggerModel(
        TorchNetwork(network, device, torch.float32),
        encoder,
        Decoder(network.labels, network.crf_scores, temperature),
        kinds=reads.kinds,
        picture=reads.picture,
        batch_tokens=_BATCH_TOKENS,
        handles=False,
        name="in training",
        version="",
    )
