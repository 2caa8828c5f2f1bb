"""Outcomes survive the way through a cache; bytes that are none are refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamproc.testing.visuals import example_value
from streamproc.vision.api import Outcome, UrlEntry
from streamproc.vision.codec import decode, decode_entry, encode, encode_entry, leads_to
from streamproc.vision.failures import Failure
from streamproc.vision.visuals import (
    LOOKED_AT,
    Captions,
    DetectedObject,
    Modality,
    Objects,
    OcrLine,
    OcrText,
    Regions,
)


def same(one: Outcome | None, other: Outcome | None) -> bool:
    """Equality that looks into arrays, at every bit."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, Regions) and isinstance(other, Regions):
        return all(same(getattr(one, n), getattr(other, n)) for n in ("boxes", "scores", "features"))
    return one == other


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
BOX = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER)
ARRAY = hnp.arrays(np.float16, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=70))
OBJECT = st.builds(DetectedObject, TEXT, NUMBER, st.lists(TEXT).map(tuple), st.none() | BOX)
OUTCOME = st.one_of(
    TEXT,
    st.builds(Failure, TEXT),
    st.builds(Captions, st.lists(TEXT).map(tuple), st.lists(NUMBER).map(tuple)),
    st.builds(Objects, st.lists(OBJECT).map(tuple)),
    st.builds(OcrText, st.lists(st.builds(OcrLine, TEXT, NUMBER, BOX)).map(tuple)),
    st.builds(Regions, ARRAY, ARRAY, ARRAY),
    ARRAY,
)
ENTRY = st.builds(
    UrlEntry,
    NUMBER,
    st.none() | TEXT,
    st.none() | st.builds(Failure, TEXT),
    st.none() | TEXT,
    st.none() | TEXT,
)


@pytest.mark.parametrize("modality", ["alt", *LOOKED_AT])
def test_a_value_of_every_modality_comes_back_as_it_was(modality: Modality) -> None:
    value = example_value(modality)
    assert same(decode(encode(value)), value)


@settings(deadline=None)
@given(OUTCOME)
def test_every_outcome_comes_back_as_it_was(outcome: Outcome) -> None:
    assert same(decode(encode(outcome)), outcome)


@given(ENTRY)
def test_every_entry_comes_back_as_it_was_and_leads_to_its_digest(entry: UrlEntry) -> None:
    assert decode_entry(encode_entry(entry)) == entry
    assert leads_to(encode_entry(entry)) == entry.digest


def test_an_array_that_is_no_piece_of_memory_comes_back_as_it_was() -> None:
    array = np.arange(60, dtype=np.float16).reshape(6, 10)[::2, ::3]
    assert same(decode(encode(array)), np.ascontiguousarray(array))
    assert same(decode(encode(array.T)), np.ascontiguousarray(array.T))


def test_arrays_are_stored_small_where_that_gains_and_plain_where_not() -> None:
    random = np.random.default_rng(0)
    rectified = np.maximum(random.standard_normal((49, 2048)), 0).astype(np.float16)
    noise = random.integers(1, 1 << 16, 50_000).astype("<u2").view(np.float16)
    assert len(encode(rectified)) < rectified.nbytes / 2
    assert noise.nbytes < len(encode(noise)) < noise.nbytes + 200


@pytest.mark.parametrize("array", [np.zeros(1000, np.float16), np.ones(4, np.float16)])
def test_arrays_come_back_read_only_because_many_posts_share_them(array: Outcome) -> None:
    known = decode(encode(array))
    assert isinstance(known, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        known[0] = 2


@pytest.mark.parametrize("array", [np.array([object()]), np.zeros(4, np.float32)])
def test_an_array_of_anything_but_fp16_is_not_written(array: Outcome) -> None:
    with pytest.raises(ValueError, match="float16"):
        encode(array)


def test_text_that_is_no_unicode_is_not_written() -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        encode(Failure("\udcff"))
    with pytest.raises(ValueError, match="cannot be kept"):
        encode_entry(UrlEntry(1.0, etag="\udcff"))


def _array(array: str, stored: bytes = b"") -> bytes:
    head = b'{"arrays":[' + array.encode() + b"]}"
    return b"\x02a" + len(head).to_bytes(4, "big") + head + stored


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02",
        b"\x02t",
        b"\x02a",
        b"\x02a\xff\xff\xff\xff{}",
        b"\x02z" + encode("text")[2:],
        b"\x01" + encode("text")[1:],
        encode("text")[:-1],
        encode("text") + b"x",
        encode(np.ones(9, np.float16))[:-1],
        encode(np.zeros(99, np.float16))[:-1],
        encode(np.zeros(99, np.float16)) + b"x",
        b"\x02r" + encode(np.ones(9, np.float16))[2:],
        pickle.dumps("text"),
        b'\x02w{"lines":' + b"[" * 100_000,
        _array(""),
        _array('{"shape":[-1,-1],"stored":2,"packed":false}', b"xx"),
        _array('{"shape":[2],"stored":2,"packed":false}', b"xx"),
        _array('{"shape":[100000,100000],"stored":2,"packed":true}', b"xx"),
        _array('{"shape":[0,36893488147419103232],"stored":0,"packed":false}'),
        _array('{"shape":[1],"stored":2,"packed":true}', b"xx"),
        _array('{"shape":[8],"stored":0,"packed":true}'),
        _array('{"shape":[1],"stored":2,"packed":false,"more":1}', b"xx"),
        _array(",".join(['{"shape":[0],"stored":0,"packed":false}'] * 2)),
    ],
)
def test_bytes_that_are_no_outcome_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each has its own words
        decode(data)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(LOOKED_AT), st.integers(0, 100_000), st.binary(max_size=3), st.integers(0, 3))
def test_damage_never_does_more_than_refuse_or_change_a_value(
    modality: Modality, at: int, new: bytes, instead_of: int
) -> None:
    data = bytearray(encode(example_value(modality, width=64)))
    at %= len(data)
    data[at : at + instead_of] = new
    try:
        decode(bytes(data))
    except ValueError:
        return


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([b"", *(b"\x02" + letter.encode() for letter in "tcowfar")]), st.binary(max_size=40))
def test_any_bytes_are_an_outcome_or_refused(beginning: bytes, rest: bytes) -> None:
    try:
        decode(beginning + rest)
    except ValueError:
        return


@given(st.binary(max_size=40) | st.sampled_from([b"[]", b"{}", b'{"digest":1}', b'{"digest":null}']))
def test_any_bytes_are_an_entry_or_refused_and_lead_nowhere(data: bytes) -> None:
    assert leads_to(data) is None
    with pytest.raises(ValueError):  # noqa: PT011  each has its own words
        decode_entry(data)
