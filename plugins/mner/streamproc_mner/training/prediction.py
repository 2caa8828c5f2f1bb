"""What a network says of windows, decoded."""

from __future__ import annotations

import torch

from streamproc_mner.decoding import Decoder
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.tagger import Tagger


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
