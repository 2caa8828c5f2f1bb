"""The key hash that decides a message's partition, for many keys at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from aiokafka.partitioner import murmur2

_LONG_KEY: Final = 1024


def murmur2_all(keys: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """Hash of each key as Kafka's Java client computes it, for all keys at once.

    Args:
        keys: n keys.

    Returns:
        n hashes, 32 bits without sign.
    """
    longest = max(map(len, keys), default=0)
    if longest > _LONG_KEY:  # one row a key: a single huge key would blow up all of them
        short = [key if len(key) <= _LONG_KEY else b"" for key in keys]
        hashes = murmur2_all(short)
        for index, key in enumerate(keys):
            if len(key) > _LONG_KEY:
                hashes[index] = murmur2(key)
        return hashes
    # Rows of little-endian words, one word of zeros more than the longest key fills.
    width = longest // 4 + 1
    rows = b"".join([key.ljust(width * 4, b"\0") for key in keys])
    words = np.frombuffer(rows, dtype="<u4").reshape(len(keys), width)
    lengths = np.fromiter(map(len, keys), np.uint32, len(keys))
    whole = lengths >> np.uint32(2)
    multiplier = np.uint32(0x5BD1E995)
    mixed = words * multiplier
    mixed ^= mixed >> np.uint32(24)
    mixed *= multiplier
    hashes = np.uint32(0x9747B28C) ^ lengths
    fewest = int(whole.min(initial=width))
    for column in range(width):
        more = hashes * multiplier ^ mixed[:, column]
        hashes = more if column < fewest else np.where(column < whole, more, hashes)
    tail = words[np.arange(len(keys)), np.minimum(whole, width - 1)]
    hashes = np.where(lengths & np.uint32(3), (hashes ^ tail) * multiplier, hashes)
    hashes ^= hashes >> np.uint32(13)
    hashes *= multiplier
    hashes ^= hashes >> np.uint32(15)
    return hashes
