r"""Text to tokens: the one convention that live posts and training data share.

Every character that is not white space is in exactly one token, and
`text[token.start:token.end] == token.text`, in code points.

The convention:

- `@name` is two tokens, `@` and `name`; `#word` is two, `#` and `word`, the word left whole;
  `$TICK` likewise. The signs are never part of an entity.
- URLs (with a scheme, with `www.`, or a bare `domain/path`), e-mail addresses, `RT` and emoji
  sequences (families, skin tones, flags, keycaps, variation selectors) are one token each.
- Every other punctuation mark or symbol is a token of its own, so `I'm` is `I ' m`, `U.S.` is
  `U . S .`, `post-Katrina` is `post - Katrina` and `7:30` is `7 : 30`.
- `3,000` and `2.5` are one number; digits that lead letters are split from them (`76 ers`),
  digits that follow letters are not (`CO2`).
- Han, Hiragana, Thai, Lao, Khmer, Burmese and Tibetan are written without spaces: there each
  letter with its marks is a token. A run of Katakana (foreign names, mostly) is one.
- Characters that do not show (zero-width spaces, direction marks, controls) are tokens of kind
  `format`; joiners inside a word stay inside it.

Splitting finely is what lets the gold borders of both data sets fall on token borders.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import regex

Kind = Literal[
    "word",
    "number",
    "punctuation",
    "symbol",
    "mention_sign",
    "mention",
    "hashtag_sign",
    "hashtag",
    "cashtag_sign",
    "cashtag",
    "url",
    "email",
    "emoji",
    "rt",
    "format",
]


class Token(NamedTuple):
    """One token: `text[start:end]` of the post, offsets in code points."""

    text: str
    start: int
    end: int
    kind: Kind


def tokenize(text: str) -> list[Token]:
    """Split a post into tokens, in order, not overlapping; linear in its length."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        kind: Kind = match.lastgroup  # type: ignore[assignment]  # the pattern's names are the kinds
        if kind in _SIGNS:
            tokens.append(Token(text[start], start, start + 1, _SIGNS[kind]))
            start += 1
        tokens.append(Token(text[start:end], start, end, kind))
    return tokens


_SIGNS: Final[dict[Kind, Kind]] = {
    "mention": "mention_sign",
    "hashtag": "hashtag_sign",
    "cashtag": "cashtag_sign",
}

_UNSPACED: Final = r"\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts that put no space between words."""

_TEXT_PICTURES: Final = "©®™ℹ‼⁉"
"""Signs that are pictures only when a variation selector says so."""

_PICTURE: Final = (
    rf"(?:[\p{{Extended_Pictographic}}\p{{Emoji_Modifier}}--[{_TEXT_PICTURES}]]|[{_TEXT_PICTURES}](?=\uFE0F))"
    r"[\uFE0E\uFE0F]?+\p{Emoji_Modifier}?+[\U000E0020-\U000E007F]*+"
)

_SPACE: Final = r"\s\x1C-\x1F"
"""White space as `str.isspace` sees it."""

_PATH: Final = (
    rf"(?:[^{_SPACE}()<>\"“”{_UNSPACED}\p{{Katakana}}\p{{Hangul}}\p{{Extended_Pictographic}}]"
    rf"|\([^{_SPACE}()<>]{{0,200}}+\))+(?<![.,;:!?'’*\]}}、。])"
)
"""The rest of a URL: brackets in pairs, closing punctuation left outside, as is other script."""

_LETTER: Final = rf"[\p{{L}}--[{_UNSPACED}]]"
_IN_WORD: Final = rf"[\p{{L}}\p{{M}}\p{{Nd}}--[{_UNSPACED}\uFE0E\uFE0F]]"
_JOINER: Final = r"[_\u00AD\u200C\u200D]"
_WORD: Final = rf"{_LETTER}{_IN_WORD}*+(?:{_JOINER}++{_IN_WORD}++)*+"

# Every repetition is possessive, bounded, or followed by nothing that can send it back far:
# this is what keeps hostile texts linear. Alternatives are tried in order.
_TOKEN: Final = regex.compile(
    rf"(?V1)(?=[^{_SPACE}])(?:"
    # Most tokens of most posts, in one try: an ASCII word or mark that nothing special can follow.
    r"(?P<word>(?!RT)[A-Za-z]++(?=[ ,!?'#\n]|\Z))"
    r"|(?P<punctuation>[.,:;!?'\"()/-](?=[ -~\n]|\Z))"
    rf"|(?P<rt>RT(?!{_IN_WORD}|_))"
    rf"|(?P<url>(?i:https?://|www\.)(?=[\p{{L}}\p{{N}}\[]){_PATH}"
    rf"|(?:[A-Za-z0-9-]{{1,63}}+\.){{1,6}}[a-z]{{2,24}}/(?=[A-Za-z0-9]){_PATH}"
    r"|https?+(?::/{0,2}+)?+…)"
    r"|(?P<email>[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}+@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,5}+)"
    rf"|(?P<word>{_WORD})"
    rf"|(?P<emoji>{_PICTURE}(?:\u200D{_PICTURE})*+|\p{{RI}}{{1,2}}+|[0-9*#]\uFE0F?+\u20E3)"
    r"|(?P<number>\p{Nd}++(?:[.,]\p{Nd}++)*+|[\p{Nl}\p{No}])"
    r"|(?P<mention>(?<![A-Za-z0-9_])[@＠]"
    r"[A-Za-z0-9_]++(?:[A-Za-z0-9-]{0,63}+(?:\.[a-z0-9-]{1,63}){1,5}(?<=\.[a-z]{2,24})|"
    r"@[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,5}+)?+(?![\p{Latin}\p{M}]))"
    r"|(?P<hashtag>(?<![\p{L}\p{M}\p{Nd}&_])[#＃](?=[\p{Nd}_]*+[\p{L}\p{M}])"
    r"[\p{L}\p{M}\p{Nd}_\u200C\u200D\u30FB\u00B7--[\uFE0E\uFE0F]]++)"
    r"|(?P<cashtag>(?<![A-Za-z0-9$])\$[A-Za-z]{1,6}+(?![A-Za-z0-9_]))"
    rf"|(?P<word>\p{{Katakana}}[\p{{Katakana}}\p{{M}}\u30FC]*+|[{_UNSPACED}][\p{{M}}\u200C\u200D]*+)"
    r"|(?P<punctuation>\p{P}\p{M}*+)"
    r"|(?P<symbol>\p{S}\p{M}*+)"
    r"|(?P<format>.))",
    regex.DOTALL,
)
