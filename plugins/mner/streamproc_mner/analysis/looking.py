"""What a model says of posts without a look at their pictures, and with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamproc.errors import InputError
from streamproc.fusion.api import FusionModel, Modality, Need
from streamproc.vision.visuals import LOOKED_AT
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.evaluation.predictions import Predicted, predict_posts
from streamproc_mner.evaluation.significance import Counts, counts_of
from streamproc_mner.evaluation.spans import judge


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """n posts of which m have a picture, each tagged without a look and with one.

    Attributes:
        without: (n, 3) gold, predicted and correct entities by what is known before a look: the text,
            and alt text, which comes with the post.
        after: (m, 3) the same of posts with a picture, after a look.
        pictured: (m,) which of the n posts these are.
        uncertainty: (m,) of what was tagged without a look: what `uncertain(T)` compares with T.
    """

    without: Counts
    after: Counts
    pictured: NDArray[np.int64]
    uncertainty: NDArray[np.float64]

    def counts(self, looked: NDArray[np.bool_]) -> Counts:
        """(n, 3) where some of the m pictures are looked at."""
        counts = self.without.copy()
        counts[self.pictured[looked]] = self.after[looked]
        return counts

    def at(self, threshold: float) -> NDArray[np.bool_]:
        """(m,): which pictures `uncertain(threshold)` looks at."""
        looked: NDArray[np.bool_] = self.uncertainty > threshold
        return looked


def measure_looks(
    model: FusionModel,
    posts: Sequence[LabelledPost],
    advance: Callable[[int], None] = lambda _: None,
) -> Looks:
    """Tag posts as the pipeline would, before a look and after it.

    Args:
        model: of any plugin.
        posts: labelled, with what was seen in their pictures.
        advance: called with how many taggings were done since it was last called, in all up to 2 n.

    Raises:
        InputError: the model looks at nothing or cannot do without, or no post has what it looks for.
    """
    looked_for = looked_for_by(model)
    pictured = [index for index, post in enumerate(posts) if any(m in post.visuals for m in looked_for)]
    if not pictured:
        raise InputError(
            f"no post has {' or '.join(looked_for)}, which the model looks for: give --pictures with the "
            "--out of `streamproc extract`, or posts with what was seen in their pictures"
        )
    before = predict_posts(model, [_before_a_look(post) for post in posts], "image+text", advance)
    seen = [posts[index] for index in pictured]
    after = predict_posts(model, seen, "image+text", advance)
    return Looks(
        _counts(posts, before),
        _counts(seen, after),
        np.array(pictured, np.int64),
        np.array([before[index].uncertainty for index in pictured], np.float64),
    )


def looked_for_by(model: FusionModel) -> tuple[Modality, ...]:
    """What a look would be for.

    Raises:
        InputError: nothing, or something that the model cannot do without.
    """
    needs = {m: need for m, need in model.modalities.items() if m in LOOKED_AT}
    if not needs:
        raise InputError("the model reads nothing of pictures: there is nothing to look for")
    needed = [m for m, need in needs.items() if need is Need.REQUIRED]
    if needed:
        raise InputError(f"the model needs {', '.join(needed)}: every picture is looked at before its text")
    return tuple(needs)


def _before_a_look(post: LabelledPost) -> LabelledPost:
    return replace(post, visuals={"alt": post.visuals["alt"]} if "alt" in post.visuals else {})


def _counts(posts: Sequence[LabelledPost], predicted: Sequence[Predicted]) -> Counts:
    spans = [[scored.span for scored in said.spans] for said in predicted]
    strays = [[scored.span for scored in said.strays] for said in predicted]
    return counts_of(judge(posts, spans, strays))
