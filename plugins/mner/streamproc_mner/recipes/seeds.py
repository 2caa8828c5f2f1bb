"""Seeds of trainings, as commands are given them."""

from __future__ import annotations

from typing import Final

from streamproc.errors import SettingsError

LARGEST: Final = 2**31
"""What `streamproc train --seed` takes."""
MOST: Final = 100
"""Each is a training of its own: more is a slip of the keyboard."""


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds such as `13,14,15`.

    Raises:
        SettingsError: no whole numbers up to `LARGEST`, one of them twice, or more than `MOST`.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST:
        raise SettingsError(f"--seeds: {len(parts)} of them, expected at most {MOST}: each is a training")
    # So many digits hold the largest one; Python refuses to read some thousand of them.
    readable = [part for part in parts if part.isdecimal() and len(part) <= len(str(LARGEST))]
    seeds = tuple(seed for seed in map(int, readable) if seed <= LARGEST)
    if len(seeds) < len(parts) or len(set(seeds)) < len(seeds):
        raise SettingsError(
            f"--seeds {text}: expected different whole numbers up to {LARGEST}, such as 13,14,15"
        )
    return seeds
