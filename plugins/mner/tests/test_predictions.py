"""What a model says of labelled posts, over their words."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from plugins.mner.tests.lexicon import LexiconConfig, LexiconModel
from streamproc.fusion.api import FusionInput, Missing, Need, Seen, Tagging
from streamproc.vision.visuals import Captions
from streamproc_mner.data.normaliser import LabelledPost, normalise
from streamproc_mner.data.records import Record
from streamproc_mner.decoding import ScoredSpan
from streamproc_mner.evaluation.predictions import predict_posts
from streamproc_mner.evaluation.spans import judge
from streamproc_mner.evaluation.token_labels import judged_words
from streamproc_mner.labels import Span

SEEN = Seen((Captions(("a tower",), (0.0,)),))


def posts_of(*texts: str) -> list[LabelledPost]:
    return normalise(
        [Record(str(n), tuple(t.split()), ("O",) * len(t.split())) for n, t in enumerate(texts)]
    )


def with_caption(post: LabelledPost) -> LabelledPost:
    return LabelledPost(
        post.text, post.words, post.spans, post.mentions, True, {}, post.id, {"captions": SEEN}
    )


def lexicon(names: Mapping[str, str], need: Need | None = None, **pictured: str) -> LexiconModel:
    return LexiconModel(LexiconConfig(names=names, pictured=pictured), need)


def test_entities_are_over_words_with_their_score() -> None:
    (said,) = predict_posts(lexicon({"New York": "LOC", "Ada": "PER"}), posts_of("Ada in New York"), "text")
    assert said.spans == (ScoredSpan(Span(0, 1, "PER"), 0.9), ScoredSpan(Span(2, 4, "LOC"), 0.9))
    assert said.strays == ()
    assert said.confidence == (0.75,) * 4


@pytest.mark.parametrize(
    ("name", "touched"),
    [("Par", (1, 2)), ("aris", (1, 2)), ("Paris No", (1, 3)), ("in Paris ", (0, 2)), (" ", (1, 1))],
)
def test_an_entity_that_cuts_a_word_is_a_stray_over_what_it_touches(
    name: str, touched: tuple[int, int]
) -> None:
    (said,) = predict_posts(lexicon({name: "LOC"}), posts_of("in Paris Now"), "text")
    assert said.spans == ()
    assert said.strays[0] == ScoredSpan(Span(*touched, "LOC"), 0.9)


def test_the_text_view_is_without_what_was_seen_and_the_other_one_has_it() -> None:
    model = lexicon({}, Need.OPTIONAL, Paris="LOC")
    posts = [with_caption(post) for post in posts_of("in Paris")]
    assert [len(said.spans) for said in predict_posts(model, posts, "text")] == [0]
    assert [len(said.spans) for said in predict_posts(model, posts, "image+text")] == [1]


def test_a_model_is_told_what_is_missing_of_all_that_it_reads_and_nothing_else() -> None:
    given: list[FusionInput] = []

    class Listening(LexiconModel):
        def tag(self, batch: list[FusionInput]) -> list[Tagging]:  # type: ignore[override]
            given.extend(batch)
            return super().tag(batch)

    model = Listening(LexiconConfig(), Need.OPTIONAL)
    plain, seen = posts_of("a", "b")
    predict_posts(model, [plain, with_caption(seen)], "image+text")
    assert [post.visuals for post in given] == [{"captions": Missing("absent")}, {"captions": SEEN}]


def test_a_post_that_lacks_what_the_model_needs_has_no_entities_and_the_others_theirs() -> None:
    model = lexicon({"Paris": "LOC"}, Need.REQUIRED)
    plain, seen = posts_of("in Paris", "to Paris")
    first, second = predict_posts(model, [plain, with_caption(seen)], "image+text")
    assert (first.spans, first.uncertainty) == ((), 1.0)
    assert [scored.span for scored in second.spans] == [Span(1, 2, "LOC")]


def test_all_posts_are_told_of_in_order_however_many_there_are() -> None:
    posts = posts_of(*(f"w{'a' * (n % 7)} Paris" for n in range(600)))
    done: list[int] = []
    found = predict_posts(lexicon({"Paris": "LOC"}), posts, "text", done.append)
    assert [said.spans[0].span for said in found] == [Span(1, 2, "LOC")] * 600
    assert sum(done) == 600
    assert len(done) > 1


def test_words_are_judged_by_their_labels_and_those_under_a_stray_are_wrong() -> None:
    (post,) = normalise([Record("1", ("New", "York", "and", "Paris"), ("B-LOC", "I-LOC", "O", "B-LOC"))])
    (said,) = predict_posts(lexicon({"New": "LOC", "Pari": "LOC"}), [post], "text")
    (judged,) = judge([post], [[s.span for s in said.spans]], [[s.span for s in said.strays]])
    words = list(judged_words(post, judged, said))
    assert [word.right for word in words] == [True, False, True, False]
    assert {word.confidence for word in words} == {0.75}


def test_words_of_unlabelled_mentions_are_not_judged_and_other_tokens_have_no_confidence() -> None:
    (post,) = normalise([Record("1", ("@nasa", "in", "Paris"), ("O", "O", "B-LOC"))])
    (said,) = predict_posts(lexicon({"nasa": "ORG"}), [post], "text")
    (judged,) = judge([post], [[s.span for s in said.spans]])
    rights = [word.right for word in judged_words(post, judged, said)]
    assert len(rights) == len(post.words) - len(post.mentions)
    assert rights == [True] * (len(rights) - 1) + [False]
    (other,) = predict_posts(_Letters(), [post], "text")
    assert {word.confidence for word in judged_words(post, judged, other)} == {None}


class _Letters(LexiconModel):
    """Its tokens are letters."""

    def __init__(self) -> None:
        super().__init__(LexiconConfig(), None)

    def tag(self, batch: list[FusionInput]) -> list[Tagging]:  # type: ignore[override]
        return [Tagging((), (0.5,) * len(post.text), 0.5) for post in batch]
