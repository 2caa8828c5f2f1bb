"""What trained models say of the posts to train on: the teachers of a distilled model.

Hinton et al. 2015 for the idea; for a CRF, Wang et al. 2020, "Structure-Level Knowledge Distillation For
Multilingual Sequence Labeling" (posterior distillation): the student's posteriors of each word are to
be the mean of the teachers', which says more than a gold label does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamproc.entities import View
from streamproc.errors import InputError
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.loading import load_model
from streamproc_mner.evaluation.predictions import input_of
from streamproc_mner.tagging import TaggerModel

_BATCH: Final = 256

Taught = Sequence[NDArray[np.float32]]
"""Of each post (words, L): the teachers' mean posteriors; zeros for a word that they do not see."""


def taught_by(
    folders: Sequence[Path],
    posts: Sequence[LabelledPost],
    labels: Sequence[str],
    view: View,
    device: str,
    told: Callable[[str], None] = lambda _: None,
) -> Taught:
    """The mean posteriors of several teachers, each at the temperature that is stored in it.

    Args:
        folders: of their saved models.
        posts: to train on.
        labels: of the student, in its order.
        view: `text`: the teachers read the posts without what was seen in their pictures.
        device: `cpu`, `cuda` or `cuda:N`.
        told: gets a line for each teacher.

    Raises:
        InputError: a teacher has other labels; names both.
        PluginError: it cannot be loaded.
    """
    mean = [np.zeros((len(post.words), len(labels)), np.float32) for post in posts]
    for folder in folders:
        # With handles: what is served without them says "no entity" of every mentioned account.
        model = load_model(str(folder), device, {"handles": True}).model
        if not isinstance(model, TaggerModel) or list(model.decoder.labels) != list(labels):
            has = ", ".join(model.decoder.labels) if isinstance(model, TaggerModel) else "none of its own"
            raise InputError(
                f"--teacher {folder}: its labels are {has}; expected the recipe's: {', '.join(labels)}"
            )
        for start in range(0, len(posts), _BATCH):
            chosen = posts[start : start + _BATCH]
            found = model.word_scores([input_of(model, post, view) for post in chosen])
            for place, read in enumerate(found, start=start):
                if len(read.kept):
                    posteriors = model.decoder.posteriors(read.emissions, read.joined)
                    mean[place][read.kept] += posteriors.astype(np.float32) / len(folders)
        told(f"taught by {folder}")
    return mean
