"""Files that end too early, and files with a few changes that a seed made."""

from __future__ import annotations

import random
from typing import Final

from tests.vision.hostile.small import SMALL
from tests.vision.pictures import noise, saved


def _cut() -> dict[str, bytes]:
    whole = {format: saved(noise(), format) for format in SMALL} | {
        "progressive JPEG": saved(noise(), "JPEG", progressive=True),
        "lossless WEBP": saved(noise(), "WEBP", lossless=True),
    }
    return {
        f"{percent} % of a {format}": data[: len(data) * percent // 100]
        for format, data in whole.items()
        for percent in (1, 25, 60, 95)
    }


CUT: Final = _cut()
"""Files that end too early."""


def _fuzzed(format: str, seed: int) -> bytes:
    """A few changes at places that a seed chooses, most of them where the headers are."""
    dice = random.Random(f"{format} {seed}")
    data = bytearray(SMALL[format])
    for _ in range(dice.randint(1, 6)):
        at = min(dice.randrange(len(data)), dice.randrange(len(data)))
        match dice.randrange(5):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at : at + 4] = dice.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\1"])
            case 2:
                del data[at : at + dice.randint(1, 16)]
            case 3:
                data[at:at] = dice.randbytes(dice.randint(1, 16))
            case _:
                other = SMALL[dice.choice(list(SMALL))]
                data[at : at + 32] = other[:32]
    return bytes(data)


FUZZED: Final = {f"{format} {seed}": _fuzzed(format, seed) for format in SMALL for seed in range(40)}
"""Files with a few changes that a seed made."""
