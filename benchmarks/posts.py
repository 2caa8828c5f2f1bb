"""Posts to measure with: made up, in the lengths of real ones, 718 bytes of JSON on average."""

from __future__ import annotations

import json
import random
from typing import Final

NAMES: Final = (
    "Ada Lovelace", "Grace Hopper", "Nairobi", "Berlin", "Kyoto", "Manchester United", "the Red Cross",
    "Lake Victoria", "NASA", "Marie Curie", "Lisbon", "Oracle Arena", "the Louvre", "Radio Tallinn",
)  # fmt: skip
WORDS: Final = (
    "just saw the new stand at and it was so good that we stayed all night with friends from work "
    "who would have thought this year could start like that thanks for having us back again soon "
    "somebody tell me why trains never run on time when it rains but the view is worth every minute"
).split()
JSON_BYTES: Final = 718
BAD: Final = "raise: "
"""How the text of a post begins on which the no-op tagger raises."""


def make_text(random_: random.Random) -> str:
    """About twenty words, among them names, a hashtag, a handle."""
    words = random_.choices(WORDS, k=max(3, round(random_.gauss(15, 6))))
    for _ in range(random_.choice((0, 1, 1, 2, 3))):
        words.insert(random_.randrange(len(words)), random_.choice(NAMES))
    if random_.random() < 0.4:
        words.append(f"#{random_.choice(WORDS)}")
    if random_.random() < 0.3:
        words.insert(0, f"RT @{random_.choice(WORDS)}{random_.randrange(99)} :")
    return " ".join(words)


def make_posts(count: int, seed: int = 1, *, bad_every: int = 0) -> list[tuple[bytes, bytes]]:
    """Key and value of so many posts, the same for a seed.

    Args:
        count: how many.
        seed: of all that is random.
        bad_every: the last of so many is one on which the no-op tagger raises; none by default.
    """
    random_ = random.Random(seed)
    posts = []
    for number in range(count):
        post = {
            "schema_version": 1,
            "platform": "bench",
            "id": f"did:plc:{number:020d}/3k{number:08d}",
            "uri": f"at://did:plc:{number:020d}/app.bsky.feed.post/3k{number:08d}",
            "created_at": "2026-11-01T10:00:00Z",
            "ingested_at": "2026-11-01T10:00:01Z",
            "author": {
                "id": f"did:plc:{number:020d}",
                "handle": "someone.example",
                "display_name": "Someone",
            },
            "text": (BAD if bad_every and not (number + 1) % bad_every else "") + make_text(random_),
            "lang": ["en"],
            "hashtags": [],
            "links": [],
            "source": {"feed": "bench", "cursor": str(number)},
        }
        missing = JSON_BYTES - len(json.dumps(post)) - len(', "url": ""')
        post["url"] = "https://example.org/".ljust(max(20, missing), "x")
        posts.append((f"bench:{post['id']}".encode(), json.dumps(post).encode()))
    return posts


def renamed(posts: list[tuple[bytes, bytes]], round_: int) -> list[tuple[bytes, bytes]]:
    """The same posts under other ids of the same length: cheap, for a topic of millions."""
    mark = b"d%06d" % round_
    return [(key.replace(_MARK, mark), value.replace(_MARK, mark)) for key, value in posts]


_MARK: Final = b"did:plc"
