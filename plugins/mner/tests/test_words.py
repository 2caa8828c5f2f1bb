"""Words: roles, shapes, and what the encoder reads for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc_mner.words import SHAPE_SIZES, Case, Role, case_of, pieces_of, shapes_of, words_of


def _roles(text: str) -> list[tuple[str, Role]]:
    return [(word.text, word.role) for word in words_of(text) if word.role is not Role.WORD]


def test_names_the_role_of_each_word() -> None:
    assert _roles("RT @warriors : #BlackFriday deals 🎉 http://t.co/x") == [
        ("RT", Role.REPOST),
        ("@", Role.SIGN),
        ("warriors", Role.HANDLE),
        (":", Role.SIGN),
        ("#", Role.SIGN),
        ("BlackFriday", Role.HASHTAG),
        ("🎉", Role.EMOJI),
        ("http://t.co/x", Role.LINK),
    ]


def test_a_sign_that_stands_alone_names_the_next_word_only() -> None:
    assert _roles("@ warriors won # NBA finals") == [
        ("@", Role.SIGN),
        ("warriors", Role.AT),
        ("#", Role.SIGN),
        ("NBA", Role.HASHTAG),
    ]


@given(st.text())
def test_words_are_where_they_say_and_their_shapes_fit_the_tables(text: str) -> None:
    words = words_of(text)
    assert all(text[word.start : word.end] == word.text for word in words)
    for shape in shapes_of(words):
        assert all(1 <= number < size for number, size in zip(shape, SHAPE_SIZES, strict=True))


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("nasa", Case.LOWER),
        ("Nasa", Case.TITLE),
        ("NASA", Case.UPPER),
        ("A", Case.INITIAL),
        ("iPhone", Case.MIXED),
        ("2017", Case.DIGITS),
        ("CO2", Case.LETTERS_AND_DIGITS),
        ("...", Case.NO_LETTER),
        ("東京", Case.UNCASED),
    ],
)
def test_case_patterns(text: str, case: Case) -> None:
    assert case_of(text) is case


def test_a_post_all_in_capitals_says_so_for_each_word() -> None:
    loud, calm = words_of("WE LOVE PARIS"), words_of("we love Paris")
    assert shapes_of(loud)[2][2] != shapes_of(calm)[2][2]


def test_a_handle_has_one_shape_whether_its_sign_was_cut_off_or_not() -> None:
    assert shapes_of(words_of("thanks @warriors"))[2] == shapes_of(words_of("thanks @ warriors"))[2]


def test_links_are_read_as_one_piece_and_hashtags_as_their_words() -> None:
    pieces = [pieces_of(word) for word in words_of("#BlackFridayNBA2017 http://t.co/Ab1 iPhone")]
    assert pieces == [["#"], ["Black", "Friday", "NBA", "2017"], ["http"], ["iPhone"]]
