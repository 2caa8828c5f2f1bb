"""What a model is told about a post's pictures before anybody has looked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from streamproc.posts import Post
from streamproc.vision.visuals import Missing, Modality, Seen, Visual

ABSENT: Final = Missing("absent")
NO_EXTRACTOR: Final = Missing("skipped", "no extractor")
_NOBODY_LOOKED_YET: Final = Missing("skipped")


class KnownVisuals(NamedTuple):
    """What is known of a post's pictures, by modality, and which modalities a look could still give."""

    visuals: Mapping[Modality, Visual]
    to_look: tuple[Modality, ...]


def known_before_looking(
    post: Post,
    modalities: Collection[Modality],
    given: Mapping[Modality, Visual] | None,
    extracted: Collection[Modality],
) -> KnownVisuals:
    """For each modality: what came with the post, or why it is missing.

    Args:
        post: the post; its alt texts are the `alt` modality.
        modalities: what the model wants to see.
        given: what the source of the post already knows (captions in a data set).
        extracted: what a look could give here.
    """
    if not post.media and not given:
        return _nothing_to_see(tuple(modalities))
    has_picture = bool(post.picture_urls())
    known: dict[Modality, Visual] = {}
    to_look: list[Modality] = []
    for modality in modalities:
        if given and modality in given:
            known[modality] = given[modality]
        elif modality == "alt":
            texts = post.alt_texts()
            known[modality] = Seen(texts) if texts else ABSENT
        elif not has_picture:
            known[modality] = ABSENT
        elif modality in extracted:
            known[modality] = _NOBODY_LOOKED_YET
            to_look.append(modality)
        else:
            known[modality] = NO_EXTRACTOR
    return KnownVisuals(known, tuple(to_look))


@lru_cache
def _nothing_to_see(modalities: tuple[Modality, ...]) -> KnownVisuals:
    """For posts without media, most of all posts: made once."""
    return KnownVisuals(dict.fromkeys(modalities, ABSENT), ())


def not_looked(known: KnownVisuals, reason: str) -> KnownVisuals:
    """The same, with the reason why nobody looked, and will."""
    return KnownVisuals({**known.visuals, **dict.fromkeys(known.to_look, Missing("skipped", reason))}, ())
