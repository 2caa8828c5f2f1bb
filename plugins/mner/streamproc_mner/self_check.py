"""Whether this machine computes an 8-bit file as the machine that made it did.

Processors differ in how they multiply 8-bit integers: some add up two products in 16 bits, where large
ones overflow. The file carries what it gave for a few made-up posts, and is asked for these again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from streamproc_mner.data.visual_context import Segment
from streamproc_mner.decoding import Decoder
from streamproc_mner.tagging import Encoder, Floats, Network
from streamproc_mner.windows import Window, pad
from streamproc_mner.words import words_of

METADATA: Final = "streamproc.expected"
"""Where an 8-bit file carries what is expected of it."""

POSTS: Final[tuple[tuple[str, tuple[Segment, ...]], ...]] = (
    ("Angela Merkel meets the Red Cross in Nairobi #climate", ()),
    ("ok", ()),
    ("RT @someone : Manchester United vs Real Madrid tonight !! http://t.co/abc", ()),
    ("so tired today 😂 never again", ()),
    ("Georgia is greener than I thought", (Segment("captions", "a street in a city at night"),)),
    ("NEW YORK , Harry Potter at the Barclays Center", (Segment("ocr", "SOLD OUT TONIGHT"),)),
    ("listening to Adele on my way from Oslo to Lake Bled with José and the guys from work " * 2, ()),
)

_NEAR: Final = 0.15
"""How far an emission may be off: a rounding step more or less, here and there, moves it by hundredths."""
_SAME: Final = 1e-4


class Expected(BaseModel):
    """What a network gave for one post: labels of its words, and their emissions (n, L)."""

    model_config = ConfigDict(frozen=True)

    labels: tuple[int, ...]
    emissions: tuple[tuple[float, ...], ...]


_EXPECTED: Final = TypeAdapter(tuple[Expected, ...])


def expectations(network: Network, encoder: Encoder, decoder: Decoder) -> str:
    """What is to be stored in the file, as JSON."""
    alone = [_scored(network, [window])[0] for window in _windows(encoder)]
    told = [
        {"labels": decoded.labels.tolist(), "emissions": np.round(emissions, 3).tolist()}
        for emissions, decoded in zip(alone, decoder.decode(alone), strict=True)
    ]
    return _EXPECTED.dump_json(_EXPECTED.validate_python(told)).decode()


def fault_of(network: Network, stored: str, encoder: Encoder, decoder: Decoder) -> str | None:
    """Why a file is not to be relied on here; `None` if it is.

    Args:
        network: of the file.
        stored: see `expectations`.
        encoder: of the model.
        decoder: of the model.
    """
    try:
        expected = _EXPECTED.validate_json(stored)
    except ValidationError:
        return "the file does not say what is expected of it"
    windows = _windows(encoder)
    alone = [_scored(network, [window])[0] for window in windows]
    if [len(post.labels) for post in expected] != [len(found) for found in alone]:
        return "what is expected of it is of another tokenizer"
    together = max(map(_apart, alone, _scored(network, windows)))
    if together > _SAME:
        return f"a post's emissions depend on its batch, by {together:.1g}"
    off = max(_apart(found, np.array(post.emissions)) for found, post in zip(alone, expected, strict=True))
    if off > _NEAR:
        return f"emissions are {off:.2g} off what they were where it was made"
    labels = [decoded.labels.tolist() for decoded in decoder.decode(alone)]
    if labels != [list(post.labels) for post in expected]:
        return "its labels are not those that it gave where it was made"
    return None


def _windows(encoder: Encoder) -> list[Window]:
    posts = encoder.encode([words_of(text) for text, _ in POSTS], [context for _, context in POSTS])
    return [post.windows[0] for post in posts]


def _scored(network: Network, windows: Sequence[Window]) -> list[Floats]:
    emissions = network.score(pad(windows), None).emissions
    return [row[: len(window.firsts)] for row, window in zip(emissions, windows, strict=True)]


def _apart(left: Floats, right: Floats) -> float:
    apart = float(np.abs(left - right).max(initial=0.0))
    return apart if np.isfinite(apart) else np.inf
