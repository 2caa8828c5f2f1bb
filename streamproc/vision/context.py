"""What a model is told about a post's pictures before anybody has looked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from streamproc.posts import Post
from streamproc.vision.visuals import Missing, Modality, Seen, Visual

ABSENT: Final = Missing("absent")
NO_EXTRACTOR: Final = Missing("skipped", "no extractor")
_NOBODY_LOOKED_YET: Final = Missing("skipped")


def known_before_looking(
    post: Post,
    modalities: Iterable[Modality],
    given: Mapping[Modality, Visual] | None,
    extracted: Collection[Modality],
) -> dict[Modality, Visual]:
    """For each modality: what came with the post, or why it is missing.

    Args:
        post: the post; its alt texts are the `alt` modality.
        modalities: what the model wants to see.
        given: what the source of the post already knows (captions in a data set).
        extracted: what a look could give here.
    """
    has_picture = bool(post.media and post.picture_urls())
    known: dict[Modality, Visual] = {}
    for modality in modalities:
        if given and modality in given:
            known[modality] = given[modality]
        elif modality == "alt":
            texts = post.alt_texts() if post.media else ()
            known[modality] = Seen(texts) if texts else ABSENT
        elif not has_picture:
            known[modality] = ABSENT
        else:
            known[modality] = _NOBODY_LOOKED_YET if modality in extracted else NO_EXTRACTOR
    return known


def still_to_look(known: Mapping[Modality, Visual]) -> tuple[Modality, ...]:
    """The modalities that a look at the post's pictures could give."""
    return tuple(m for m, visual in known.items() if visual is _NOBODY_LOOKED_YET)


def not_looked(known: Mapping[Modality, Visual], reason: str) -> dict[Modality, Visual]:
    """The same, with the reason why nobody looked."""
    missing = Missing("skipped", reason)
    return {m: missing if visual is _NOBODY_LOOKED_YET else visual for m, visual in known.items()}
