"""A small data set on disk, made up, for tests of training."""

from __future__ import annotations

import json
import random
from pathlib import Path

_PEOPLE = ("kevin", "harry", "maria")
_PLACES = ("paris", "london", "tokyo")
_OTHERS = ("the", "a", "in", "at", "photo", "of", "dog", "news", "video")


def write_data_set(folder: Path, train: int = 24, valid: int = 8, seed: int = 0) -> Path:
    """Posts of a person, a place and words between; each with a caption that tells nothing.

    Args:
        folder: made if it is not there.
        train: posts to train on.
        valid: posts to report on; 0 for no such file.
        seed: of the posts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    for split, count in (("train", train), ("valid", valid)):
        if count:
            lines = [json.dumps(_post(f"{split}{number}", chance)) for number in range(count)]
            (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def _post(name: str, chance: random.Random) -> dict[str, object]:
    tokens, tags = [], []
    for _ in range(chance.randint(1, 4)):
        draw = chance.random()
        if draw < 0.3:
            tokens.append(chance.choice(_PEOPLE))
            tags.append("B-PER")
        elif draw < 0.6:
            tokens.append(chance.choice(_PLACES))
            tags.append("B-LOC")
        else:
            tokens.append(chance.choice(_OTHERS))
            tags.append("O")
    return {
        "id": name,
        "tokens": tokens,
        "tags": tags,
        "captions": ["a photo of a " + chance.choice(("dog", "man"))],
    }
