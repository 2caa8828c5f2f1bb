"""The posts of a scenario, and what has to become of each: told from its bytes alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

PLUGIN: Final = "chaos"

COSTS_A_POST: Final = frozenset({"raise", "exit", "hang", "kill", "segfault", "short"})
"""First words of a text at which the plugin misbehaves each time, so that the post is given up."""


@dataclass(frozen=True, slots=True)
class Fate:
    """How a message has to end.

    Attributes:
        end: where: a tagged post, a dead letter, or skipped by rule.
        names: entities of the tagged post, in order.
        error: class of the dead letter's error.
    """

    end: Literal["entities", "letter", "skip"]
    names: tuple[str, ...] = ()
    error: str = ""


def made(number: int, deeds: Mapping[str, int]) -> tuple[bytes, bytes]:
    """Key and value of a message: creates, updates right behind them, deletes, skipped posts, broken ones.

    Args:
        number: of the message, from 0.
        deeds: first words of texts, and how many messages there are to one with that word.
    """
    if number % 50 == 3:
        return _key(number), b'{"platform": "test", "id": "%d", ' % number
    if number % 100 == 60:
        return _key(number - 20), json.dumps(
            {"platform": "test", "id": str(number - 20), "op": "delete"}
        ).encode()
    post, version, word = number, 0, "Ada"
    if number % 10 == 9:
        post, version = number - 1, 1
    elif number % 40 == 7:
        word = "skip"
    for place, (deed, every) in enumerate(deeds.items()):
        if number % every == 5 + 11 * place % every:
            word = deed
    text = f"{word} met Post{post} in Version{version}"
    given = {"platform": "test", "id": str(post), "op": "update" if version else "create", "text": text}
    return _key(post), json.dumps(given).encode()


def _key(post: int) -> bytes:
    return b"test:%d" % post


def fate(value: bytes) -> Fate:
    """What has to become of a message."""
    try:
        given = json.loads(value)
    except ValueError:
        return Fate("letter", error="MalformedPost")
    if given.get("op") == "delete":
        return Fate("entities")
    first, *_ = words = given["text"].split()
    if first == "skip":
        return Fate("skip")
    if first in COSTS_A_POST:
        return Fate("letter", error="PluginFailed")
    return Fate("entities", tuple(word for word in words if word[0].isupper()))
