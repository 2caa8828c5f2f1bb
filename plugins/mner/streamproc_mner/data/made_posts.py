"""Made-up posts about a name that may be of several types: the picture tells which one, or the text.

In a post of `picture-decides` the text says nothing of the type; a caption, the writing in the
picture or, in one post of ten, the alt text does (alt text comes with the post: no look is needed).
In one of `text-decides` the text tells, and the picture shows something else. Both are in the same
mood and about the same names, so that only what tells the type differs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from streamproc_mner.data.records import Record

Deciding = Literal["picture-decides", "text-decides"]
MadeKind = Literal["picture-decides", "text-decides", "mixed"]

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "Jordan": ("PER", "LOC", "ORG"),
    "Washington": ("PER", "LOC", "ORG"),
    "Lincoln": ("PER", "LOC", "ORG"),
    "Phoenix": ("PER", "LOC", "ORG"),
    "Chelsea": ("PER", "LOC", "ORG"),
    "Santos": ("PER", "LOC", "ORG"),
    "Amazon": ("LOC", "ORG"),
    "Liverpool": ("LOC", "ORG"),
    "Barcelona": ("LOC", "ORG"),
    "Stanford": ("LOC", "ORG"),
    "Paris": ("PER", "LOC"),
    "Georgia": ("PER", "LOC"),
    "Charlotte": ("PER", "LOC"),
    "Florence": ("PER", "LOC"),
    "Sydney": ("PER", "LOC"),
    "Austin": ("PER", "LOC"),
    "Ford": ("PER", "ORG"),
    "Disney": ("PER", "ORG"),
    "Dior": ("PER", "ORG"),
    "Hamilton": ("PER", "LOC", "MISC"),
    "Carrie": ("PER", "MISC"),
    "Rocky": ("PER", "MISC"),
    "Coco": ("PER", "MISC"),
    "Chicago": ("LOC", "ORG", "MISC"),
    "Casablanca": ("LOC", "MISC"),
    "Fargo": ("LOC", "MISC"),
    "Philadelphia": ("LOC", "MISC"),
    "Apollo": ("PER", "ORG", "MISC"),
    "Genesis": ("ORG", "MISC"),
    "Oasis": ("ORG", "MISC"),
}
_NEUTRAL: Final = (
    "cannot stop thinking about {}",
    "{} again this morning",
    "so this is {} then",
    "nobody told me about {} before",
    "woke up early for {}",
    "{} never lets me down",
    "all I want today is {}",
    "me and {} , forever",
    "look at {} , just look",
    "two words for you : {} rocks",
    "this is how {} made my week",
    "everyone is talking about {} today",
)
_TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    "PER": (
        "{} sang her new song for us",
        "happy birthday to my brother {}",
        "met {} after the show and shook his hand",
        "{} called her mother from work",
        "{} was born on this day and would be ninety",
    ),
    "LOC": (
        "flying to {} tomorrow morning",
        "heavy snow in {} all night",
        "driving through downtown {} with the windows open",
        "we moved to {} last year",
        "the mayor of {} has resigned",
    ),
    "ORG": (
        "{} hired two hundred engineers",
        "shares of {} fell after its earnings",
        "{} signed a new striker until June",
        "the board of {} meets on Monday",
        "customers of {} want their money back",
    ),
    "MISC": (
        "season two of {} was so good",
        "the soundtrack of {} is on repeat",
        "cried at the end of {} again , what a film",
        "reading {} , chapter nine now",
        "we watched {} at the cinema last night",
    ),
}
_CAPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "PER": ("a man with a microphone", "a woman smiling at the camera", "a man in a suit shaking hands"),
    "LOC": ("a city skyline at night", "a street with old buildings", "a bridge over a river"),
    "ORG": ("a logo on an office building", "a team in uniforms", "a truck with a company sign"),
    "MISC": ("a movie poster on a wall", "a television showing a film", "an album cover with a drawing"),
}
_WRITING: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "PER": (("an evening with {}",), ("happy birthday", "{}"), ("{} live on stage",)),
    "LOC": (("welcome to {}", "population 48,000"), ("{} airport", "arrivals"), ("map of {}",)),
    "ORG": (("{} inc.", "annual report"), ("careers at {}",), ("{} headquarters",)),
    "MISC": (("{} the movie", "in cinemas friday"), ("now streaming", "{}"), ("{} official trailer",)),
}
_ALT: Final[Mapping[str, str]] = {
    "PER": "portrait of the singer {}",
    "LOC": "view over the city of {}",
    "ORG": "headquarters of the company {}",
    "MISC": "poster of the film {}",
}
_PLAIN_CAPTIONS: Final = (
    "a cup of coffee on a table",
    "a dog lying on a couch",
    "a close up of a flower",
    "a plate of food",
    "a blue sky with clouds",
)
_PLAIN_WRITING: Final = ((), ("follow", "share"), ("12:45 pm",), ("sale 50 % off",), ("good morning",))
_HEADS: Final = ("", "", "ok", "lol", "honestly", "wow ,", "friends ,")
_TAILS: Final = ("", "", "!", "...", "😂", "# goodmorning", "no joke")
_TELLERS: Final = ("captions", "ocr", "alt")
_TELLER_SHARES: Final = (0.45, 0.45, 0.1)


def make_posts(kind: MadeKind, count: int, seed: int) -> list[Record]:
    """Labelled posts with what is seen in their pictures: captions, writing, and sometimes alt text.

    Args:
        kind: what decides; `mixed` is half of each, in random order.
        count: how many.
        seed: the same seed gives the same posts. A post's id says what decides in it.
    """
    source = random.Random(seed)
    kinds: list[Deciding] = ["picture-decides", "text-decides"]
    deciding = [kinds[index % 2] if kind == "mixed" else kind for index in range(count)]
    source.shuffle(deciding)
    return [_make(source, decides, f"{decides}-{seed}-{n}") for n, decides in enumerate(deciding)]


def _make(source: random.Random, decides: Deciding, name: str) -> Record:
    subject = source.choice(list(_NAMES))
    entity = source.choice(_NAMES[subject])
    by_text = decides == "text-decides"
    frame = source.choice(_TELLING[entity] if by_text else _NEUTRAL)
    tokens = f"{source.choice(_HEADS)} {frame} {source.choice(_TAILS)}".split()
    tags = [f"B-{entity}" if token == "{}" else "O" for token in tokens]
    (teller,) = source.choices(_TELLERS, _TELLER_SHARES)
    telling = frozenset() if by_text else frozenset({teller})
    return Record(
        name,
        tuple(token.format(subject) for token in tokens),
        tuple(tags),
        captions={"made": source.choice(_CAPTIONS[entity] if "captions" in telling else _PLAIN_CAPTIONS)},
        ocr=_named(source.choice(_WRITING[entity] if "ocr" in telling else _PLAIN_WRITING), subject),
        alt=_ALT[entity].format(subject) if "alt" in telling else None,
    )


def _named(lines: Sequence[str], subject: str) -> tuple[str, ...]:
    return tuple(line.format(subject) for line in lines)
