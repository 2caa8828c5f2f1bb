"""The text on the page is the post's text, whatever is in it and wherever words and entities lie."""

from hypothesis import given
from hypothesis import strategies as st

from streamproc.entities import Entity
from streamproc.explain.words import WORDS_SHOWN, marked_text, words_of
from streamproc.fusion.api import Explanation, Tagging
from streamproc.tokens import tokenize
from tests.explain.reading import read

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\x00"), max_size=60),
    st.lists(
        st.sampled_from(
            (
                "<script>",
                "</p>",
                '"',
                "&amp;",
                "👩‍👩‍👧‍👦",
                "🇫🇷",
                "محمد",
                "Ada",
                " ",
                "\n",
                "\u202e",
                "e\u0301",
            )
        ),
        max_size=12,
    ).map("".join),
)


def spans(text: str, cuts: list[int]) -> list[tuple[int, int]]:
    """Every second stretch between places in a text."""
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [(start, end) for start, end in zip(places[::2], places[1::2], strict=False) if start < end]


@given(TEXTS, st.lists(st.integers(0, 1000), max_size=8), st.lists(st.integers(0, 1000), max_size=20))
def test_nothing_of_a_text_is_lost_doubled_or_turned_into_markup(
    text: str, entity_cuts: list[int], word_cuts: list[int]
) -> None:
    entities = tuple(Entity(text[a:b], "LOC", a, b, 0.9) for a, b in spans(text, entity_cuts))
    tokens = tuple((text[a:b], a, b) for a, b in spans(text, word_cuts))
    tagging = Tagging(entities, (), 0.0, Explanation(tokens, {}))
    page = read(marked_text(text, words_of(text, tagging), entities))
    assert page.text(without="chip") == text
    assert [mark.text(without="chip") for mark in page.all("mark")] == [entity.text for entity in entities]
    shown = dict.fromkeys(range(len(tokens)), "")
    for word in page.all(css="word"):
        shown[int(word.attributes["data-word"] or "")] += word.text()
    assert list(shown.values()) == [word for word, _, _ in tokens]
    assert {node.tag for node in page.all()} <= {"mark", "span", "bdi"}


def test_entities_behind_emoji_stand_at_their_code_points() -> None:
    text = "👩‍👩‍👧‍👦🎉 Ada in 🇫🇷 Paris"
    found = [text.index(name) for name in ("Ada", "Paris")]
    entities = (
        Entity("Ada", "PER", found[0], found[0] + 3, 0.93),
        Entity("Paris", "LOC", found[1], found[1] + 5, 0.8),
    )
    page = read(marked_text(text, words_of(text, Tagging(entities, (), 0.0)), entities))
    assert [mark.text() for mark in page.all("mark")] == ["AdaPER 0.93", "ParisLOC 0.80"]


def test_a_word_knows_its_entity_and_its_confidence() -> None:
    text = "Ada Lovelace met Grace"
    entities = (Entity("Ada Lovelace", "PER", 0, 12, 1.0), Entity("Grace", "PER", 17, 22, 1.0))
    words = words_of(text, Tagging(entities, (0.9, 0.8, 1.0, 0.4), 0.1))
    assert [word.entity for word in words] == [entities[0], entities[0], None, entities[1]]
    assert [word.confidence for word in words] == [0.9, 0.8, 1.0, 0.4]
    marked = read(marked_text(text, words, entities))
    assert [word.attributes["class"] for word in marked.all(css="word")] == [
        "word doubt-1", "word doubt-2", "word", "word doubt-6",
    ]  # fmt: skip


def test_confidences_of_words_that_the_model_does_not_explain_are_those_of_the_usual_words() -> None:
    text = "Ada \u200b Berlin"
    usual = [(token.start, token.end) for token in tokenize(text)]
    seen = (("Ada", 0, 3), ("Berlin", 6, 12))
    assert len(usual) == 3
    told = words_of(text, Tagging((), (0.5, 1.0, 0.25), 0.0, Explanation(seen, {})))
    assert [(word.text, word.confidence) for word in told] == [("Ada", 0.5), ("Berlin", 0.25)]


def test_confidences_that_fit_no_words_are_given_to_none() -> None:
    words = words_of("Ada in Berlin", Tagging((), (0.5, 0.5), 0.0))
    assert [word.confidence for word in words] == [None, None, None]


def test_behind_many_words_a_text_goes_on_without_any_that_can_be_pointed_at() -> None:
    text = "word " * (WORDS_SHOWN + 50) + "Nairobi"
    entity = Entity("Nairobi", "LOC", len(text) - 7, len(text), 1.0)
    page = read(marked_text(text, words_of(text, Tagging((entity,), (), 0.0)), (entity,)))
    assert page.text(without="chip") == text
    assert len(page.all(css="word")) == WORDS_SHOWN
    assert page.all("mark")[0].text() == "NairobiLOC 1.00"
