"""Training objectives: ITA's two views and their alignment; what teachers say."""

from __future__ import annotations

import torch
from torch import Tensor

from streamproc_mner.nn.cross_view import cross_view_alignment
from streamproc_mner.nn.inputs import Inputs
from streamproc_mner.nn.tagger import Tagger
from streamproc_mner.training.batches import Target


def ita_loss(
    network: Tagger,
    text: Inputs,
    image_text: Inputs | None,
    target: Target,
    rows: Tensor,
    *,
    aligned: bool = True,
) -> Tensor:
    """L = L_T + L_I+T + L_CVA, each a mean over the posts that have the view (wang2022-ita section 2.2).

    Args:
        network: gives the emissions of both.
        text: the posts alone.
        image_text: some of the posts with visual context; `None` for none of them.
        target: gold labels of all posts.
        rows: which rows of `text` the posts of `image_text` are, in order.
        aligned: whether L_CVA counts.

    Returns:
        Scalar.
    """
    crf = network.crf
    text_emissions = network(text).emissions
    loss = -crf.log_likelihood(text_emissions, target.gold, target.mask).mean()
    if image_text is None:
        return loss
    words = image_text.firsts.shape[1]
    gold, mask = target.gold[rows, :words], target.mask[rows, :words]
    emissions = network(image_text).emissions
    loss = loss - crf.log_likelihood(emissions, gold, mask).mean()
    if not aligned:
        return loss
    with torch.no_grad():
        goal = crf.log_posteriors(emissions, mask)
    learner = crf.log_posteriors(text_emissions[rows, :words], mask)
    return loss + cross_view_alignment(learner, goal, mask).mean()


def distillation_loss(network: Tagger, inputs: Inputs, taught: Tensor) -> Tensor:
    """How far the posteriors of words are from the teachers', as a cross-entropy; a mean over posts.

        L = - sum_i sum_y q(y_i) log p(y_i)

    of the teachers' posteriors q and the network's p (Wang et al. 2020, posterior distillation). The
    network reads the posts once more for it, which spares every family's own loss a second target.

    Args:
        network: that learns.
        inputs: B posts.
        taught: (B, T, L) the teachers' posteriors, zeros where they say nothing.

    Returns:
        Scalar.
    """
    learner = network.crf.log_posteriors(network(inputs).emissions, inputs.words)
    kept = taught[:, : learner.shape[1]]
    per_word = -(kept * learner).sum(dim=-1).masked_fill(~inputs.words, 0.0)
    return per_word.sum(dim=1).mean()
