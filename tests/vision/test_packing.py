"""Packing keeps every bit, and says what is not packed."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamproc.vision.packing import pack, unpack

BITS = hnp.arrays(
    np.dtype("<u2"), st.integers(0, 200), elements=st.sampled_from([0, 0, 1, 0x8000, 0x7E01, 0x3C00])
)


@given(BITS)
def test_every_bit_comes_back(bits: np.ndarray[tuple[int], np.dtype[np.uint16]]) -> None:
    """Also of what is not a number, and of zeros with a sign."""
    assert unpack(pack(bits.view(np.float16)), len(bits)).tobytes() == bits.tobytes()


def test_zeros_cost_a_bit_and_others_their_low_byte_and_what_the_high_bytes_pack_to() -> None:
    array = np.zeros(8000, np.float16)
    assert 1000 < len(pack(array)) < 1020
    array[::2] = 1
    assert 5000 < len(pack(array)) < 5050


@pytest.mark.parametrize("count", [0, 1, 792, 801, 10_000])
def test_another_number_of_numbers_than_were_packed_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="array"):
        unpack(pack(np.ones(800, np.float16)), count)


@given(BITS, st.integers(0, 1000), st.binary(max_size=3))
def test_damage_is_refused_or_gives_as_many_numbers(
    bits: np.ndarray[tuple[int], np.dtype[np.uint16]], at: int, new: bytes
) -> None:
    data = bytearray(pack(bits.view(np.float16)))
    data[at % len(data) : at % len(data) + len(new)] = new
    try:
        array = unpack(bytes(data), len(bits))
    except ValueError:
        return
    assert array.shape == bits.shape


def test_a_bomb_is_not_unpacked_further_than_it_should_be() -> None:
    bomb = b"\xff" + bytes(8) + zlib.compress(bytes(20_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="more or fewer"):
        unpack(bomb, 8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
