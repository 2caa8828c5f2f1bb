"""Visual context for training, of a changing kind: what a post may meet in the stream.

The data sets come with captions only. Alt text is made from captions, as people and platforms
word it; writing in pictures is made by rule: buttons and counters of screenshots, words of other
posts, letters misread, and sometimes words of the post itself, so that a model learns both that
most of it is noise and that some of it helps.
"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from typing import Final

from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.visual_context import Segment
from streamproc_mner.words import Role

_ALT_FRAMES: Final = (
    "{}",
    "{}",
    "photo of {}",
    "a picture of {}",
    "image may contain: {}",
    "alt text: {}",
    "screenshot: {}",
    "{} (photo)",
)
_SCREEN: Final = (
    "12:45 PM",
    "Follow",
    "Following",
    "Retweets 1,204 Likes 3,481",
    "Share",
    "LIVE",
    "Sign up",
    "100%",
    "Read more",
    "Subscribe",
    "BREAKING NEWS",
    "Page 2 of 8",
    "Tickets on sale now",
    "Doors 7 pm",
    "www.",
    "FT 2 - 1",
    "Q4 03:12",
    "Reply",
    "4G",
    "Terms apply",
    "Est. 1987",
    "No. 7",
    "SALE 50% OFF",
    "Photo credit",
)
_HELPFUL: Final = 0.5
"""Share of made writing and alt text that has to do with the post."""

_TELLING: Final = {
    "PER": (
        "meet {}",
        "{} live on stage",
        "interview with {}",
        "happy birthday {}",
        "{} wins best actor",
        "by {}",
        "coach {}",
        "rest in peace {}",
        "Mr {}",
        "singer {}",
    ),
    "LOC": (
        "welcome to {}",
        "city of {}",
        "{} tourism board",
        "{} airport",
        "visit {}",
        "{} station",
        "map of {}",
        "{} 12 km",
        "downtown {}",
        "greetings from {}",
    ),
    "ORG": (
        "{} Inc.",
        "{} FC",
        "{} headquarters",
        "team {}",
        "official {} store",
        "{} press release",
        "careers at {}",
        "{} Ltd",
        "members of {}",
        "{} shares up 3%",
    ),
    "MISC": (
        "{} the movie",
        "{} festival",
        "{} album out now",
        "watch {}",
        "{} season 2",
        "{} official trailer",
        "{} cup final",
        "download {}",
        "{} world tour",
        "the new {}",
    ),
}
"""What stands around a name of each type, in the words of posters, shop fronts and covers."""

_MISREAD: Final = {
    "o": "0",
    "l": "1",
    "i": "l",
    "s": "5",
    "e": "c",
    "a": "o",
    "m": "rn",
    "b": "8",
    "g": "9",
}


class ContextMaker:
    """Makes visual context for posts of a training set.

    Args:
        posts: where words of other posts come from.
        seed: the same seed gives the same contexts in the same order of asking.
    """

    def __init__(self, posts: Sequence[LabelledPost], seed: int) -> None:
        self._random = random.Random(seed)
        self._words = [
            word.text for post in posts for word in post.words if word.role in (Role.WORD, Role.HASHTAG)
        ]

    def make(self, post: LabelledPost) -> list[Segment]:
        """Some context for a post, never none: the view without context is trained beside it."""
        draw = self._random.random()
        if post.captions and draw < 0.35:
            return self.captions(post)
        if draw < 0.7:
            return [self.writing(post, helpful=self._random.random() < _HELPFUL)]
        if post.captions and draw < 0.85:
            return [self.alt(post, helpful=self._random.random() < _HELPFUL)]
        writing = self.writing(post, helpful=self._random.random() < _HELPFUL)
        return [writing, *self.captions(post)] if post.captions else [writing]

    def captions(self, post: LabelledPost) -> list[Segment]:
        """The captions of one captioner, or of all."""
        captions = self.all_captions(post)
        return [self._random.choice(captions)] if self._random.random() < 0.7 else captions

    def all_captions(self, post: LabelledPost) -> list[Segment]:
        """The captions of all captioners."""
        return [Segment("captions", post.captions[name]) for name in sorted(post.captions)]

    def alt(self, post: LabelledPost, *, helpful: bool) -> Segment:
        """Alt text: a caption, whole or its beginning, framed; if `helpful`, with a name in it."""
        words = self._random.choice(self.all_captions(post)).text.split()
        if len(words) > 4 and self._random.random() < 0.4:
            words = words[: self._random.randint(3, len(words))]
        if post.spans and helpful:
            span = self._random.choice(post.spans)
            name = [word.text for word in post.words[span.start : span.end]]
            words = [*name, *words] if self._random.random() < 0.5 else [*words, "with", *name]
        return Segment("alt", self._random.choice(_ALT_FRAMES).format(" ".join(words)))

    def writing(self, post: LabelledPost, *, helpful: bool) -> Segment:
        """Writing in a picture: 1 to 5 fragments, and one that has to do with the post if `helpful`."""
        fragments = [self._fragment() for _ in range(self._random.randint(1, 5))]
        if helpful:
            fragment = self._telling(post) if self._random.random() < 0.6 else self._own(post)
            fragments.insert(self._random.randrange(len(fragments) + 1), fragment)
        text = " ".join(fragments)
        return Segment("ocr", text.upper() if self._random.random() < 0.3 else text)

    def _own(self, post: LabelledPost) -> str:
        """Up to 5 words of the post in a row."""
        size = self._random.randint(1, 5)
        begin = self._random.randrange(max(1, len(post.words) - size + 1))
        return " ".join(self._misread(word.text) for word in post.words[begin : begin + size])

    def _telling(self, post: LabelledPost) -> str:
        """One of the post's names in words that give its type away."""
        spans = [span for span in post.spans if span.type in _TELLING]
        if not spans:
            return self._own(post)
        span = self._random.choice(spans)
        name = " ".join(self._misread(word.text) for word in post.words[span.start : span.end])
        return self._random.choice(_TELLING[span.type]).format(name)

    def _fragment(self) -> str:
        draw = self._random.random()
        if draw < 0.25:
            return self._random.choice(_SCREEN)
        if draw < 0.4:
            size = self._random.randint(1, 6)
            return "".join(self._random.choices(string.ascii_letters + string.digits + "|.-/", k=size))
        words = self._random.choices(self._words, k=self._random.randint(1, 4))
        return " ".join(self._misread(word) for word in words)

    def _misread(self, word: str) -> str:
        """A word as OCR may give it: letters taken for others, lost, or a border with noise."""
        if self._random.random() < 0.5:
            return word
        letters = [
            _MISREAD.get(letter.lower(), letter) if self._random.random() < 0.15 else letter
            for letter in word
            if self._random.random() > 0.05
        ]
        return "".join(letters) or word
