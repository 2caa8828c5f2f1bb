"""The tokenizer keeps exact offsets on any text, and the one convention on the texts that matter."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamproc.tokens import Token, tokenize

# Alphabets that make the interesting collisions likely, next to any text at all.
TRICKY = st.text(
    alphabet="aR T@#$_.:/'-0,1hwtpsco\u200d\ufe0f\u20e3👩💻🏽🇪🇸é\u0301タ日ส️＠＃…()\x1c\x00\u200b"
)
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "RT",
            "@ann",
            "#Rome",
            "https://t.co/a1",
            "t.co/x",
            "'s",
            "U.S.",
            "3,000",
            "👩🏽‍💻",
            "🇪🇸",
            "1️⃣",
            " ",
            "東京",
            ".",
        ]
    )
).map("".join)
ANY_TEXT = st.one_of(st.text(), TRICKY, FRAGMENTS)


def texts(text: str) -> list[str]:
    return [token.text for token in tokenize(text)]


def pairs(text: str) -> list[tuple[str, str]]:
    return [(token.text, token.kind) for token in tokenize(text)]


@given(ANY_TEXT)
@example("\ufeff\u202eabc\u202c")
def test_tokens_lie_in_order_and_are_what_their_offsets_say(text: str) -> None:
    last = 0
    for token in tokenize(text):
        assert token.start >= last
        assert token.end > token.start
        assert text[token.start : token.end] == token.text
        last = token.end


@given(ANY_TEXT)
def test_every_character_but_white_space_is_in_exactly_one_token(text: str) -> None:
    covered = [i for token in tokenize(text) for i in range(token.start, token.end)]
    assert covered == [i for i, character in enumerate(text) if not character.isspace()]


@given(ANY_TEXT, ANY_TEXT)
def test_white_space_separates(left: str, right: str) -> None:
    moved = [Token(t.text, t.start + len(left) + 1, t.end + len(left) + 1, t.kind) for t in tokenize(right)]
    assert tokenize(f"{left}\n{right}") == tokenize(left) + moved


@given(ANY_TEXT)
def test_tokens_joined_by_spaces_keep_their_borders(text: str) -> None:
    """The joined form of the data sets never merges what the live form splits."""
    tokens = texts(text)
    joined = " ".join(tokens)
    starts = {token.start for token in tokenize(joined)}
    offset = 0
    for token in tokens:
        assert offset in starts
        offset += len(token) + 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm at O’Hare", ["I", "'", "m", "at", "O", "’", "Hare"]),
        ("Chicago's won't", ["Chicago", "'", "s", "won", "'", "t"]),
        ("post-Katrina F-22", ["post", "-", "Katrina", "F", "-", "22"]),
        ("the U.S. Open", ["the", "U", ".", "S", ".", "Open"]),
        ("3,000 fans, 2.5m at 7:30pm", ["3,000", "fans", ",", "2.5", "m", "at", "7", ":", "30", "pm"]),
        ("the 76ers and CO2", ["the", "76", "ers", "and", "CO2"]),
        ("$100 or €35, 5%", ["$", "100", "or", "€", "35", ",", "5", "%"]),
        ("well... ok…!!", ["well", ".", ".", ".", "ok", "…", "!", "!"]),
        ("AT&T w/ AC/DC", ["AT", "&", "T", "w", "/", "AC", "/", "DC"]),
        ("snake_case _loud_", ["snake_case", "_", "loud", "_"]),
        ("naïve Beyonce\u0301 Ωmega", ["naïve", "Beyonce\u0301", "Ωmega"]),
        ("x² ½", ["x", "²", "½"]),
    ],
)
def test_words_numbers_and_marks(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "RT @a_b1: hi",
            [
                ("RT", "rt"),
                ("@", "mention_sign"),
                ("a_b1", "mention"),
                (":", "punctuation"),
                ("hi", "word"),
            ],
        ),
        (
            "@ann.bsky.social.",
            [("@", "mention_sign"), ("ann.bsky.social", "mention"), (".", "punctuation")],
        ),
        ("@ann@mastodon.example", [("@", "mention_sign"), ("ann@mastodon.example", "mention")]),
        ("＠ann", [("＠", "mention_sign"), ("ann", "mention")]),
        ("#NBAFinals2017!", [("#", "hashtag_sign"), ("NBAFinals2017", "hashtag"), ("!", "punctuation")]),
        (
            "#snow_day ＃東京旅行",
            [
                ("#", "hashtag_sign"),
                ("snow_day", "hashtag"),
                ("＃", "hashtag_sign"),
                ("東京旅行", "hashtag"),
            ],
        ),
        ("$AAPL", [("$", "cashtag_sign"), ("AAPL", "cashtag")]),
        ("RTs", [("RTs", "word")]),
    ],
)
def test_signs_are_tokens_of_their_own(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize("text", ["C# ", "#1 fan", "&#39;", "me @ home", "a # b", "@Jürgen"])
def test_a_sign_that_names_nothing_is_a_mark(text: str) -> None:
    assert {token.kind for token in tokenize(text)} <= {"word", "number", "punctuation"}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("see https://t.co/aB3.", "https://t.co/aB3"),
        ("(http://example.org/a_(b)?q=1#top), ok", "http://example.org/a_(b)?q=1#top"),
        ("WWW.Example.com!", "WWW.Example.com"),
        ("t.co/x1, nice", "t.co/x1"),
        ("news.example.co.uk/2024/a-b…", "news.example.co.uk/2024/a-b…"),
        ("cut short http://t.c…", "http://t.c…"),
        ("cut short https:/…", "https:/…"),
        ("見てhttps://t.co/aB3東京", "https://t.co/aB3"),
        ('"https://example.org/" he said', "https://example.org/"),
    ],
)
def test_a_url_is_one_token_without_the_marks_around_it(text: str, url: str) -> None:
    assert [token.text for token in tokenize(text) if token.kind == "url"] == [url]


@pytest.mark.parametrize("text", ["https is safer", "and/or", "J.Cole/Drake", "wait...what", "U.S./UK"])
def test_what_only_looks_like_a_url_is_not_one(text: str) -> None:
    assert all(token.kind != "url" for token in tokenize(text))


def test_an_email_address_is_one_token() -> None:
    assert pairs("mail ann+x@example.org.") == [
        ("mail", "word"),
        ("ann+x@example.org", "email"),
        (".", "punctuation"),
    ]


@pytest.mark.parametrize(
    "sequence",
    [
        "👨‍👩‍👧‍👦",
        "👍🏽",
        "👩🏽‍💻",
        "🇪🇸",
        "1️⃣",
        "#️⃣",
        "❤️",
        "❤",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "🏳️‍🌈",
        "™️",
        "☔",
    ],
)
def test_an_emoji_sequence_is_one_token(sequence: str) -> None:
    assert pairs(f"go {sequence}{sequence}!") == [
        ("go", "word"),
        (sequence, "emoji"),
        (sequence, "emoji"),
        ("!", "punctuation"),
    ]


def test_text_signs_are_not_emoji() -> None:
    assert pairs("© 2020 ™") == [("©", "symbol"), ("2020", "number"), ("™", "symbol")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京タワーへ行く。", ["東", "京", "タワー", "へ", "行", "く", "。"]),
        ("ロンドン・ブリッジ", ["ロンドン", "・", "ブリッジ"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("한국어는 좋아", ["한국어는", "좋아"]),
        ("مرحبا، بالعالم", ["مرحبا", "،", "بالعالم"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("NHKの天気", ["NHK", "の", "天", "気"]),
    ],
)
def test_scripts_with_and_without_spaces(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_what_does_not_show_is_format() -> None:
    assert pairs("\u200bhi\u202e\x00") == [
        ("\u200b", "format"),
        ("hi", "word"),
        ("\u202e", "format"),
        ("\x00", "format"),
    ]


@pytest.mark.parametrize(
    "unit",
    [
        *("http://(", "http://a..", "www.a(", " http://a(b", "a.b/c("),
        *("a.", "a-.", "a@", "@a.", "@a@", "#1_", "#", "a_", "0.", "$a"),
        *("👨\u200d", "\u0301", "👨", "🇪", "日"),
    ],
)
def test_long_texts_made_to_make_it_backtrack_end(unit: str) -> None:
    """Were one of the rules quadratic, this would run for hours."""
    text = unit * (250_000 // len(unit))
    tokens = tokenize(text)
    assert tokens[-1].end == len(text.rstrip())


def test_a_megabyte_of_text_is_tokenised() -> None:
    text = "RT @ann: I'm in #Rome! https://t.co/a1 👩🏽‍💻 " * 22_000
    assert len(text) > 1_000_000 - 50_000
    assert len(tokenize(text)) == 13 * 22_000
