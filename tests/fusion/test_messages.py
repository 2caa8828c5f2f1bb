"""What goes to a plugin's process and back arrives as it was."""

import pickle
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamproc.entities import Entity
from streamproc.errors import PluginFailed
from streamproc.fusion.api import Explanation, Tagging, Weights
from streamproc.fusion.isolation.messages import BrokenFrame, pack, receive, unpack, unpack_plain


class Wire:
    """The bytes of messages, read a piece at a time."""

    def __init__(self, *messages: object) -> None:
        self.left = b"".join(bytes(piece) for message in messages for piece in pack(message))

    def read(self, size: int) -> bytearray:
        if len(self.left) < size:
            raise EOFError
        piece, self.left = self.left[:size], self.left[size:]
        return bytearray(piece)


@given(
    st.lists(
        arrays.arrays(np.float16, arrays.array_shapes(min_dims=0, min_side=0, max_side=5)), max_size=4
    ),
    st.text(),
)
def test_arrays_and_texts_arrive_one_message_after_the_other(values: list[np.ndarray], text: str) -> None:
    wire = Wire((values, text), "next")
    got, words = unpack(*receive(wire.read))
    assert words == text
    for value, copy in zip(values, got, strict=True):
        np.testing.assert_array_equal(copy, value)
        assert (copy.dtype, copy.shape) == (value.dtype, value.shape)
    assert unpack(*receive(wire.read)) == "next"
    assert not wire.left


def test_arrays_that_do_not_lie_in_one_piece_arrive_too() -> None:
    whole = np.arange(60, dtype=np.float32).reshape(5, 12)
    for value in (whole[:, ::2], whole.T, np.asfortranarray(whole), whole[::-1]):
        np.testing.assert_array_equal(unpack(*receive(Wire(value).read)), value)


def test_a_large_array_is_sent_from_where_it_lies() -> None:
    value = np.zeros((49, 2048), np.float16)
    *_, piece = pack([value])
    assert np.shares_memory(np.frombuffer(piece, np.float16), value)


def test_results_of_every_kind_come_back() -> None:
    explanation = Explanation((("Ada", 0, 3),), {"gate": Weights("gates", ((0.5,),), ("image",))})
    results = [
        Tagging((Entity("Ada", "PER", 0, 3, 0.5),), (0.5,), 0.25, explanation),
        Tagging((Entity("Ada", "PER", 0, 3, np.float64(0.5)),), (), 0.0),
        PluginFailed("plugin 'x' raised ValueError: no"),
    ]
    got = unpack_plain(*receive(Wire(results).read))
    assert got[:2] == results[:2]
    assert (type(got[2]), str(got[2])) == (PluginFailed, str(results[2]))


def test_what_is_not_ours_does_not_come_in() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"a decimal\.Decimal stays in its process"):
        unpack_plain(*receive(Wire(Tagging((), (), Decimal("0.5"))).read))  # type: ignore[arg-type]


@pytest.mark.parametrize("rubbish", [b"x" * 64, b"spf1" + b"\xff" * 60])
def test_what_is_no_message_is_told(rubbish: bytes) -> None:
    wire = Wire()
    wire.left = rubbish
    with pytest.raises((BrokenFrame, EOFError)):
        receive(wire.read)
