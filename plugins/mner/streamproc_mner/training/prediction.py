"""A network's entities for labelled posts, in a view with visual context or without."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from streamproc_mner.collate import PostEncoder
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import Segment
from streamproc_mner.decoding import Decoder
from streamproc_mner.labels import Span, spans_of
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.training.batches import view_of

_BATCH = 64


@torch.no_grad()
def predict(
    network: Tagger,
    posts: Sequence[LabelledPost],
    contexts: Sequence[Sequence[Segment]],
    encoder: PostEncoder,
    labels: Sequence[str],
) -> list[list[Span]]:
    """The entities of each post, over its words, in float32.

    Args:
        network: in evaluation mode.
        posts: n posts.
        contexts: n visual contexts, empty for the text view.
        encoder: encodes them.
        labels: of the network.
    """
    encoded = encoder.encode([post.words for post in posts], contexts)
    order = sorted(
        (index for index, read in enumerate(encoded) if len(read.kept)),
        key=lambda index: len(encoded[index].windows[0].ids),
    )
    predicted: list[list[Span]] = [[] for _ in posts]
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        batch = [encoded[index] for index in chosen]
        for index, read, path in zip(chosen, batch, decoded(network, view_of(batch)), strict=True):
            names = ["O"] * len(posts[index].words)
            for word, label in zip(read.kept[: len(path)], path, strict=True):
                names[word] = labels[label]
            predicted[index] = spans_of(names)
    return predicted


@torch.no_grad()
def decoded(network: Tagger, inputs: Inputs) -> list[list[int]]:
    """The most probable labels of the words of each window, as they are served.

    Args:
        network: in evaluation mode.
        inputs: the windows.
    """
    output = network(inputs)
    counts = inputs.words.sum(dim=1).tolist()
    emissions = [row[:count].numpy() for row, count in zip(output.emissions.cpu(), counts, strict=True)]
    joined = None
    if output.joined is not None:
        joined = [row[:count].numpy() for row, count in zip(output.joined.cpu(), counts, strict=True)]
    decoder = Decoder(network.labels, network.crf_scores)
    return [post.labels.tolist() for post in decoder.decode(emissions, joined)]
