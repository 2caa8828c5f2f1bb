"""The posts that an 8-bit file is made with, and those that it is then measured on."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamproc.errors import InputError, MalformedPost
from streamproc.posts import Post, parse
from streamproc.repeated_keys import repeated_key
from streamproc_mner.data.normaliser import LabelledPost
from streamproc_mner.data.posts import read_posts
from streamproc_mner.words import words_of

MOST: Final = 400
"""Posts that the file is made with, and posts that it is measured on, at most: more changes nothing."""

LEAST: Final = 40
_MEASURED: Final = 0.3
_SEED: Final = 2022


@dataclass(frozen=True, slots=True)
class Calibration:
    """Posts such as the model is to read.

    Attributes:
        calibrating: the file is made with these.
        measured: it is measured on these.
        labelled: whether the posts have gold entities.
    """

    calibrating: Sequence[LabelledPost]
    measured: Sequence[LabelledPost]
    labelled: bool


def read_calibration(path: Path, types: Sequence[str]) -> Calibration:
    """Read posts, plain (`{"platform", "id", "text"}` a line) or labelled, and part them by chance.

    Args:
        path: of the file.
        types: that the model knows.

    Raises:
        InputError: the file cannot be read, or has too few posts.
    """
    labelled = not _plain(path)
    posts = read_posts(path, types) if labelled else _read_plain(path)
    if len(posts) < LEAST:
        raise InputError(f"{path}: {len(posts)} posts, expected at least {LEAST}, a few hundred at best")
    shuffled = random.Random(_SEED).sample(posts, len(posts))
    measured = min(MOST, round(_MEASURED * len(posts)))
    return Calibration(shuffled[measured:][:MOST], shuffled[:measured], labelled)


def _plain(path: Path) -> bool:
    """Whether the first line is a post of the `posts` topic."""
    try:
        with path.open(encoding="utf-8") as file:
            first = next((line for line in file if line.strip()), "")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    try:
        value = json.loads(first)
    except ValueError:
        return False
    return isinstance(value, dict) and "text" in value and "tokens" not in value


def _read_plain(path: Path) -> list[LabelledPost]:
    posts = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            post = parse(line)
        except MalformedPost as error:
            raise InputError(f"{path}:{number}: {error}") from None
        if (repeated := repeated_key(line)) is not None:
            raise InputError(f"{path}:{number}: {repeated}")
        if isinstance(post, Post) and post.text.strip():
            words = tuple(words_of(post.text))
            posts.append(LabelledPost(post.text, words, (), frozenset(), False, {}, post.id))
    return posts
