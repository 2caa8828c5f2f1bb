"""fp16 arrays ↔ few bytes: what is left of an array without its zeros and with its exponents packed.

Packed are: one bit for each number, whether it is not zero; the low bytes of those that are not; their
high bytes (sign, exponent, first bits of the fraction) through zlib. Low bytes are noise that no
packer makes smaller, and zeros are what a ReLU leaves.

One core, a grid of 200,704 bytes, ms a grid (ResNet-152 with random weights, on photographs, its
normalisation measured on them: trained weights were not to be had; "70 %" is the same map shifted
until 70 % of it is zero):

|                   | 29 % zeros: size | encode | decode | 70 % zeros: size | encode | decode |
|-------------------|------------------|--------|--------|------------------|--------|--------|
| zlib-1            | 77 %             | 3.5    | 0.9    | 44 %             | 2.1    | 0.8    |
| bytes apart, zlib | 75 %             | 3.4    | 1.1    | 48 %             | 2.3    | 1.0    |
| as here           | 65 %             | 1.2    | 0.7    | 31 %             | 0.7    | 0.5    |
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FAST: Final = 1


def pack(array: NDArray[np.float16]) -> bytes:
    """The numbers of an array in few bytes, every bit of them; the shape is not kept."""
    bits = np.ascontiguousarray(array, "<f2").reshape(-1).view("<u2")
    filled = bits != 0
    halves = bits[filled].view(np.uint8).reshape(-1, 2)
    return b"".join(
        (
            np.packbits(filled).tobytes(),
            halves[:, 0].tobytes(),
            zlib.compress(halves[:, 1].tobytes(), _FAST),
        )
    )


def unpack(data: bytes, count: int) -> NDArray[np.float16]:
    """The `count` numbers that were packed, as a flat array.

    Raises:
        ValueError: not what `pack` makes of so many numbers.
    """
    low_at = -(-count // 8)
    if len(data) < low_at:
        raise ValueError("an array that is cut short")
    filled = np.unpackbits(np.frombuffer(data, np.uint8, low_at), count=count).view(np.bool_)
    number = int(np.count_nonzero(filled))
    low = data[low_at : low_at + number]
    unpacking = zlib.decompressobj()
    try:
        high = unpacking.decompress(data[low_at + number :], number + 1)
    except zlib.error as error:
        raise ValueError(f"a damaged array: {error}") from None
    if not len(low) == len(high) == number or not unpacking.eof or unpacking.unused_data:
        raise ValueError("an array with more or fewer numbers than it should have")
    halves = np.empty((number, 2), np.uint8)
    halves[:, 0] = np.frombuffer(low, np.uint8)
    halves[:, 1] = np.frombuffer(high, np.uint8)
    bits = np.zeros(count, "<u2")
    bits[filled] = halves.view("<u2").reshape(-1)
    return bits.view("<f2")
