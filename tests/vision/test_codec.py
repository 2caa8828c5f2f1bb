"""Values survive the way through a cache; bytes that are no value are refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.testing.visuals import example_value
from streamproc.vision.codec import decode, encode, weight
from streamproc.vision.visuals import LOOKED_AT, Modality, Objects, OcrText, Regions, Value


def same(one: Value | None, other: Value | None) -> bool:
    """Equality that looks into arrays."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool(np.array_equal(one, other))
    if isinstance(one, Regions) and isinstance(other, Regions):
        return all(same(getattr(one, n), getattr(other, n)) for n in ("boxes", "scores", "features"))
    return one == other


@pytest.mark.parametrize("modality", ["alt", *LOOKED_AT])
def test_a_value_of_every_modality_comes_back_as_it_was(modality: Modality) -> None:
    value = example_value(modality)
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize(
    "value", [OcrText(()), Objects(()), "", "ünïcode 🎉", np.zeros((0, 4), np.float16)]
)
def test_empty_and_odd_values_come_back_as_they_were(value: Value) -> None:
    assert same(decode(encode(value)), value)


def test_arrays_are_stored_small_where_that_gains_and_plain_where_not() -> None:
    sparse = np.zeros((49, 2048), np.float16)
    dense = np.random.default_rng(0).integers(0, 256, 100_000).astype(np.uint8)
    assert len(encode(sparse)) < sparse.nbytes / 50
    assert dense.nbytes < len(encode(dense)) < dense.nbytes + 200


def test_arrays_come_back_read_only_because_many_posts_share_them() -> None:
    array = decode(encode(np.ones(4, np.float16)))
    assert isinstance(array, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 2


def test_an_array_that_would_need_pickle_is_not_written() -> None:
    with pytest.raises(ValueError, match="dtype"):
        encode(np.array([object()]))


def _head(array: str) -> bytes:
    head = b'{"kind":"array","value":null,"arrays":[' + array.encode() + b"]}"
    return b"\x01" + len(head).to_bytes(4, "big") + head


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\x02" + encode("text")[1:],
        encode("text")[:-1],
        encode("text") + b"x",
        encode(np.ones(9, np.float16))[:-1],
        pickle.dumps("text"),
        b"\x01\x00\x00\x00\x02{}",
        _head('{"dtype":"|O8","shape":[1],"stored":0,"packed":false}'),
        _head('{"dtype":"<f2","shape":[-1,-1],"stored":2,"packed":false}') + b"xx",
        _head('{"dtype":"<f2","shape":[2],"stored":2,"packed":false}') + b"xx",
        _head('{"dtype":"<f2","shape":[100000,100000],"stored":2,"packed":true}') + b"xx",
        _head('{"dtype":"<f2","shape":[1],"stored":2,"packed":true}') + b"xx",
        _head('{"dtype":"<f2","shape":[1],"stored":0,"packed":false,"more":1}'),
    ],
)
def test_bytes_that_are_no_value_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each has its own words
        decode(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(LOOKED_AT), st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_damage_never_does_more_than_refuse_or_change_a_value(
    modality: Modality, at: int, new: bytes
) -> None:
    data = bytearray(encode(example_value(modality)))
    at %= len(data)
    data[at : at + len(new)] = new
    try:
        decode(bytes(data))
    except ValueError:
        return


def test_weight_is_near_the_memory_that_a_value_takes() -> None:
    assert weight(np.zeros((49, 2048), np.float16)) == 49 * 2048 * 2
    assert weight("x" * 1000) > 1000
