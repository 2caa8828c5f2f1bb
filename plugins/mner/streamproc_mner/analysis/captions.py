"""Captions: how many (wang2022-ita figure 2), and whose (chen2021-wnut section 5.1)."""

from __future__ import annotations

import random
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from streamproc.errors import InputError
from streamproc.fusion.api import FusionModel
from streamproc.vision.visuals import Captions, Missing, Seen, Visual
from streamproc_mner.analysis.findings import Findings
from streamproc_mner.analysis.groups import Group
from streamproc_mner.analysis.scores import Draws
from streamproc_mner.analysis.systems import Begin, System, counts_of_models, tag
from streamproc_mner.analysis.variants import Variants, findings_by_variant
from streamproc_mner.data.labelled_file import LabelledFile
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import MOST_CAPTIONS
from streamproc_mner.evaluation.significance import Counts

MOST: Final = 10
"""Captions that the curve goes to, as in wang2022-ita figure 2."""

NONE, OWN, ANOTHERS = "none", "own", "another post's"

Texts: TypeAlias = Sequence[Sequence[str]]
"""The captions of each post."""


def caption_counts(
    groups: Sequence[Group], data: LabelledFile, most: int, draws: Draws, begin: Begin
) -> Findings:
    """F1 over the number of captions that a model is given (wang2022-ita section 3.4, figure 2).

    Args:
        groups: of models that read captions.
        data: posts with captions.
        most: the number that the curve goes to, or as many as a post has.
        draws: of the bootstrap.
        begin: see `Begin`.

    Raises:
        InputError: a model reads no captions, or no post has any.
    """
    posts = _checked(groups, data)
    own = [captions_of(post) for post in posts]
    longest = min(most, max(map(len, own)))
    given = {str(count): [texts[:count] for texts in own] for count in range(longest + 1)}
    having = ", ".join(
        f"{count}: {sum(len(texts) >= count for texts in own)}" for count in range(1, longest + 1)
    )
    notes = (
        f"Posts that have so many captions: {having}; the others are given those that they have.",
        *_kept(posts),
        "A model reads of the captions what its limits of length leave room for.",
    )
    variants = _variants(groups, data, given, begin)
    return findings_by_variant(
        "captions", "F1 by the number of captions", "captions", variants, "0", notes, draws, ordered=True
    )


def caption_quality(
    groups: Sequence[Group], data: LabelledFile, captioners: Sequence[str], draws: Draws, begin: Begin
) -> Findings:
    """F1 with a post's own captions, another post's, and other captioners' (chen2021-wnut section 5.1).

    Args:
        groups: of models that read captions.
        data: posts with captions.
        captioners: names of captioners in the data, the captions of each of which are tried alone.
        draws: of the bootstrap; whose captions another post's are goes by its seed, too.
        begin: see `Begin`.

    Raises:
        InputError: a model reads no captions, no post has any, or none is by such a captioner.
    """
    posts = _checked(groups, data)
    known = sorted({name for post in posts for name in post.captions})
    own = [captions_of(post) for post in posts]
    given: dict[str, Texts] = {
        NONE: [()] * len(posts),
        OWN: own,
        ANOTHERS: another_posts(own, draws.seed),
    }
    for name in captioners:
        if name not in known:
            told = ", ".join(known) or "no captioner that the records name"
            raise InputError(f"--captioner {name}: the captions of {data.path} are by {told}")
        given[name] = [(post.captions[name],) if name in post.captions else () for post in posts]
    by = f", by {', '.join(known)}" if known else ""
    notes = (
        f"{sum(map(bool, own))} posts have captions{by}; own: all of them.",
        f"{ANOTHERS}: each post with captions has those of another one, drawn with seed {draws.seed}.",
        *_kept(posts),
    )
    variants = _variants(groups, data, given, begin)
    title = "F1 by whose captions they are"
    return findings_by_variant(
        "caption-quality", title, "captions", variants, OWN, notes, draws, ordered=False
    )


def captions_of(post: LabelledPost) -> tuple[str, ...]:
    """All captions of a post, in order."""
    return tuple(text for value in post.as_input("image+text").seen("captions") for text in value.texts)


def with_captions(post: LabelledPost, texts: Sequence[str]) -> LabelledPost:
    """The post with these captions instead of its own, all else as it is.

    They go in portions of as many as a model reads of one picture, so that it reads all.
    """
    visual: Visual = Missing("absent")
    if texts:
        starts = range(0, len(texts), MOST_CAPTIONS)
        portions = [tuple(texts[start : start + MOST_CAPTIONS]) for start in starts]
        visual = Seen(tuple(Captions(portion, (0.0,) * len(portion)) for portion in portions))
    return replace(post, visuals=ChainMap({"captions": visual}, post.visuals))  # type: ignore[arg-type]


def another_posts(own: Texts, seed: int) -> Texts:
    """For each post with captions those of another post, each post's once; of several none its own."""
    having = [place for place, texts in enumerate(own) if texts]
    random.Random(seed).shuffle(having)
    givers = dict(zip(having, [*having[1:], *having[:1]], strict=True))
    return [own[givers.get(place, place)] for place in range(len(own))]


def _variants(
    groups: Sequence[Group], data: LabelledFile, given: Mapping[str, Texts], begin: Begin
) -> Variants:
    systems = [
        System(group.name, tuple(loaded.model for loaded in group.models), "image+text") for group in groups
    ]
    posts = sum(len(data.posts(model.widths)) for system in systems for model in system.models)
    advance = begin(len(given) * posts)

    def counts(system: System, texts: Texts) -> Counts:
        def captioned(model: FusionModel) -> list[LabelledPost]:
            return [with_captions(*pair) for pair in zip(data.posts(model.widths), texts, strict=True)]

        return counts_of_models(tag(system, captioned, advance).judged)

    return {
        name: {system.name: counts(system, texts) for system in systems} for name, texts in given.items()
    }


def _checked(groups: Sequence[Group], data: LabelledFile) -> list[LabelledPost]:
    """The posts, where there are captions and all models read them."""
    models = [loaded for group in groups for loaded in group.models]
    for loaded in models:
        if "captions" not in loaded.model.modalities:
            told = ", ".join(loaded.model.modalities) or "nothing, it is a model of text alone"
            raise InputError(f"{loaded.name} reads no captions: of pictures it reads {told}")
    posts = data.posts(models[0].model.widths)
    if not any(map(captions_of, posts)):
        raise InputError(
            f"{data.path}: no captions: give them in the records, or with --pictures what "
            "`streamproc extract` saw with a captioner"
        )
    return posts


def _kept(posts: Sequence[LabelledPost]) -> tuple[str, ...]:
    """What else was seen, in a sentence."""
    kinds = sorted({kind for post in posts for kind in post.visuals} - {"captions"})
    return (f"What else was seen is given unchanged: {', '.join(kinds)}.",) if kinds else ()
