"""The first route that takes a post decides; samples are shares that stay the same."""

import pytest
from msgspec import convert

from streamproc.posts import Post
from streamproc.routing import Look, Plan, Route, Router, Shadow, Skip, When, parse_look


def post(**fields: object) -> Post:
    return convert({"platform": "test", "id": "1", "text": "Ada in Berlin", **fields}, Post)


PICTURE = [{"type": "image", "url": "https://example.org/a.png"}]


@pytest.mark.parametrize(
    ("when", "takes", "refuses"),
    [
        (When(platform=("bluesky",)), {"platform": "bluesky"}, {"platform": "x"}),
        (When(lang=("en",)), {"lang": ["de", "en-GB"]}, {"lang": ["de"]}),
        (When(lang=("en",)), {"lang": ["EN"]}, {"lang": []}),
        (When(lang=("EN-gb",)), {"lang": ["en"]}, {"lang": ["de"]}),
        (When(has_picture=True), {"media": PICTURE}, {"media": [{"type": "audio", "url": "u"}]}),
        (When(has_picture=False), {}, {"media": PICTURE}),
        (When(text=r"\bBerlin\b"), {}, {"text": "Berliner"}),
        (When(lang=("en",), text="Ada"), {"lang": ["en"]}, {"lang": ["de"]}),
    ],
)
def test_everything_that_a_condition_gives_must_hold(
    when: When, takes: dict[str, object], refuses: dict[str, object]
) -> None:
    router = Router([Route(when=when, primary="mine")])
    assert isinstance(router.route(post(**takes)), Plan)
    assert router.route(post(**refuses)) == Skip("no route")


def test_the_first_route_that_takes_the_post_decides() -> None:
    router = Router(
        [Route(when=When(text="Ada"), primary="first", look=Look("always")), Route(primary="second")]
    )
    assert router.route(post()) == Plan(("first",), Look("always"))
    assert router.route(post(text="Eve")) == Plan(("second",), Route().look)
    assert router.primaries() == ("first", "second")


def test_a_sample_takes_about_its_share_and_always_the_same_posts() -> None:
    router = Router([Route(primary="p", sample=0.25, shadow=(Shadow(plugin="s", sample=0.5),))])
    plans = {str(i): router.route(post(id=str(i))) for i in range(2000)}
    taken = [plan for plan in plans.values() if isinstance(plan, Plan)]
    assert 400 < len(taken) < 600
    assert 0.4 < sum(plan.plugins == ("p", "s") for plan in taken) / len(taken) < 0.6
    assert plans == {str(i): router.route(post(id=str(i))) for i in range(2000)}


def test_none_skips_by_rule() -> None:
    assert Router([Route(primary="none")]).route(post()) == Skip("route says none")


@pytest.mark.parametrize("text", ["always", "never", "uncertain(0.25)", "uncertain(1)", "uncertain"])
def test_look_reads_what_it_writes(text: str) -> None:
    assert str(parse_look(text)) == text


@pytest.mark.parametrize(
    "value", ["", "uncertain()", "uncertain(1.5)", "uncertain(-1)", "maybe", 3, None, []]
)
def test_look_refuses_everything_else(value: object) -> None:
    with pytest.raises(ValueError, match="expected always, never or uncertain"):
        parse_look(value)


def test_uncertain_without_a_number_takes_the_models_threshold_and_no_other_look_does() -> None:
    left, given = parse_look("uncertain"), parse_look("uncertain(0.25)")
    assert left.with_threshold_of(0.4) == Look("uncertain", 0.4)
    assert [look.with_threshold_of(0.4) for look in (given, Look("always"), Look("never"))] == [
        given,
        Look("always"),
        Look("never"),
    ]
    assert [left.with_threshold_of(0.4).asks(u) for u in (0.39, 0.4, 0.41)] == [False, False, True]
    assert not Look("never").asks(1.0)
