"""Tag schemes: telling them apart, finding what breaks them, and bringing them to BIO2.

| scheme  | an entity of one word, of three    | as well                                           |
|---------|------------------------------------|---------------------------------------------------|
| `bio2`  | `B-X`, `B-X I-X I-X`               | BIO, IOB2: every entity begins with `B-`          |
| `iob1`  | `I-X`, `I-X I-X I-X`               | `B-` only right behind another entity of its type |
| `bioes` | `S-X`, `B-X I-X E-X`               | IOBES                                             |
| `bilou` | `U-X`, `B-X I-X L-X`               | BIOLU                                             |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

Scheme = Literal["bio2", "iob1", "bioes", "bilou"]
"""A convention for writing entities as one tag a word."""

SCHEMES: Final[tuple[Scheme, ...]] = get_args(Scheme)

_TAG: Final = re.compile(r"O|[BIESLU]-\S+")
_LETTERS: Final[Mapping[Scheme, str]] = {"bio2": "BI", "iob1": "BI", "bioes": "BIES", "bilou": "BILU"}
_BIOES_LETTERS: Final = str.maketrans("LU", "ES")
"""BILOU's letters for an entity's last and only word."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a post's tags break a scheme.

    Attributes:
        index: of the tag.
        message: what stands there and what was expected.
        mendable: whether `to_bio2` makes entities of it all the same.
    """

    index: int
    message: str
    mendable: bool


def is_tag(text: str) -> bool:
    """Whether this is a tag of any of the schemes."""
    return _TAG.fullmatch(text) is not None


def recognise_scheme(posts: Iterable[Sequence[str]]) -> Scheme:
    """The scheme that tags are written in, by the letters that occur and where `I-` stands.

    Tags that two schemes could have written are `bio2` where they keep to it. An `I-` that continues
    nothing is `iob1` as long as each `B-` stands where that scheme needs one; else it is a fault in
    `bio2`.

    Args:
        posts: the tags of each post.
    """
    needed = keeps_bio2 = True
    letters: set[str] = set()
    for tags in posts:
        letters.update(tag[0] for tag in tags if is_tag(tag))
        keeps_bio2 = keeps_bio2 and not any(faults(tags, "bio2"))
        needed = needed and all(before[1:] == tag[1:] for before, tag in _pairs(tags) if tag[:2] == "B-")
    if letters & set("LU"):
        return "bilou"
    if letters & set("ES"):
        return "bioes"
    return "iob1" if needed and not keeps_bio2 else "bio2"


def faults(tags: Sequence[str], scheme: Scheme = "bio2") -> list[Fault]:
    """Where tags break a scheme: what is no tag of it, or else what goes on where nothing began.

    Args:
        tags: of one post.
        scheme: the one that they should keep.
    """
    letters = _LETTERS[scheme]
    expected = ", ".join(("O", *(f"{letter}-TYPE" for letter in letters[:-1]))) + f" or {letters[-1]}-TYPE"
    strange = [
        Fault(index, f"{_shown(tag)} is no tag: expected {expected}", False)
        for index, tag in enumerate(tags)
        if tag != "O" and not (is_tag(tag) and tag[0] in letters)
    ]
    if strange or scheme == "iob1":  # in IOB1 any order of tags says something
        return strange
    return list(_loose(tags) if scheme == "bio2" else _open([_in_bioes(tag) for tag in tags]))


def to_bio2(tags: Sequence[str]) -> list[str]:
    """The same entities in BIO2; where tags break their scheme, they are mended.

    What continues nothing (an `I-`, or a last word) begins an entity, as in the scorer of CoNLL; an
    entity without its last word ends where it ends.

    Args:
        tags: of one post, in any of the schemes.
    """
    found = []
    opened = ""
    for tag in map(_in_bioes, tags):
        letter, entity = tag[0], tag[2:]
        goes_on = letter in "IE" and opened == entity
        found.append(tag if tag == "O" else f"{'I' if goes_on else 'B'}-{entity}")
        opened = entity if letter in "BI" else ""
    return found


def rename(tags: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Tags with other type names; entities of a type that is renamed `O` are left out."""
    return [tag if tag == "O" else _renamed(tag, names.get(tag[2:], tag[2:])) for tag in tags]


def _renamed(tag: str, entity: str) -> str:
    return "O" if entity == "O" else f"{tag[:2]}{entity}"


def _pairs(tags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each tag with the one before it; nothing stands before the first."""
    return zip(("", *tags), tags, strict=False)


def _in_bioes(tag: str) -> str:
    """A tag of BILOU in BIOES's letters."""
    return tag[:1].translate(_BIOES_LETTERS) + tag[1:]


def _loose(tags: Sequence[str]) -> Iterator[Fault]:
    """Faults of BIO2: what goes on where nothing of its type began."""
    for index, (before, tag) in enumerate(_pairs(tags)):
        if tag[0] == "I" and before[1:] != tag[1:]:
            behind = f"after {before}" if before else "at the beginning"
            yield Fault(index, f"{tag} {behind}: expected B-{tag[2:]}", True)


def _open(tags: Sequence[str]) -> Iterator[Fault]:
    """Faults of BIOES: what goes on where nothing began, or is not brought to its end."""
    opened = ""
    for index, tag in enumerate((*tags, "O")):
        goes_on = tag[0] in "IE" and opened == tag[2:]
        if opened and not goes_on:
            yield Fault(index - 1, f"{opened} has no end: expected a tag for its last word", True)
        if tag[0] in "IE" and not goes_on:
            yield Fault(index, f"{tag[2:]} has no beginning: expected B-{tag[2:]}", True)
        opened = tag[2:] if tag[0] in "BI" else ""


def _shown(tag: str) -> str:
    """A tag as an error shows it; numbers need a word more."""
    return f"the number {tag}" if tag.lstrip("-").isdigit() else repr(tag[:40])
