"""The pages of `evaluate --html` and `compare --html`: what stands in them, and what never gets in."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from plugins.mner.tests.labelled_posts import write_posts
from streamproc.cli.main import cli
from streamproc_mner.evaluation.calibration_error import reliability
from streamproc_mner.evaluation.mistakes import Confusion, confusions, worst_posts
from streamproc_mner.evaluation.predictions import Predicted, ScoredSpan
from streamproc_mner.evaluation.report.charts import bars, reliability_plot, whiskers
from streamproc_mner.evaluation.spans import JudgedPost
from streamproc_mner.labels import Span
from tests.explain.reading import Node, read
from tests.services.process import require

LEXICON, PARIS, ADA = (f"plugins.mner.tests.lexicon:{name}" for name in ("Lexicon", "Paris", "AdaAndNasa"))
HOSTILE = "</style><script>document.title='run'</script><img/src=x/onerror=document.title='run'>"
MODEL = "</style><script>document.title</script>"
POSTS = (
    "Ada/B-PER in Paris/B-LOC",
    "NASA/B-ORG and Ada/B-PER",
    "Georgia/B-PER sings",
    f"{HOSTILE}/B-PER hm",
)
SET = ("--set", 'names={Ada = "PER", NASA = "LOC", ing = "<b>"}', "--set", 'pictured={Georgia = "PER"}')


def report(command: str, *arguments: str | Path, folder: Path) -> Path:
    """The page of a command over `POSTS`; the third post's picture has a caption."""
    data = write_posts(folder / "posts.jsonl", *POSTS, captions={2: ["a stage"]}, id={3: HOSTILE})
    page = folder / f"{command}.html"
    result = CliRunner().invoke(
        cli, [command, *map(str, arguments), "--data", str(data), "--html", str(page)]
    )
    assert result.exit_code == 0, result.exception
    return page


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report("evaluate", LEXICON, *SET, folder=tmp_path_factory.mktemp("evaluated"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = (f"one={PARIS}", f"{MODEL}={ADA}", f"three={ADA},{PARIS},{ADA}")
    return report("compare", *models, folder=tmp_path_factory.mktemp("compared"))


def tree(page: Path) -> Node:
    return read(page.read_text("utf-8"))


def part(page: Path, title: str) -> Node:
    """The section with a heading."""
    (found,) = [node for node in tree(page).all("section") if node.all("h2")[0].text() == title]
    return found


def cells(section: Node) -> list[list[str]]:
    return [[cell.text() for cell in row.children if isinstance(cell, Node)] for row in section.all("tr")]


def test_the_figures_are_those_of_the_views(evaluated: Path) -> None:
    # Right: Ada twice, with a caption Georgia too. Wrong: NASA (type), "ing" of "sings" (cuts a word).
    rows = cells(part(evaluated, "Scores"))
    assert rows[1] == ["overall", "6", "50.00", "33.33", "40.00", "60.00", "50.00", "54.55"]
    assert {row[0] for row in rows} >= {"PER", "LOC", "ORG", "<b>", "segmentation"}
    heads = [head.text() for head in part(evaluated, "F1").all("b")]
    assert heads == ["40.00", "54.55", "+14.55"]
    assert "calibration error" in part(evaluated, "Calibration").text()


def test_mistakes_are_counted_by_types_and_borders(evaluated: Path) -> None:
    rows = cells(part(evaluated, "Most frequent mistakes"))
    assert ["ORG", "LOC", "right", "1", "1"] in rows
    assert ["PER", "missed", "-", "2", "1"] in rows
    assert ["no entity", "<b>", "-", "1", "1"] in rows


def test_the_worst_posts_are_shown_with_what_is_wrong(evaluated: Path) -> None:
    items = part(evaluated, "Worst posts, image+text").all("li", "")
    posts = [item for item in items if item.all("p", "post")]
    texts = [post.all("p", "post")[0].text() for post in posts]
    assert texts == ["NASA and Ada", "Georgia sings", "Ada in Paris", f"{HOSTILE} hm"]
    said = [" ".join(verdict.text().split()) for verdict in posts[0].all("li")]
    assert said == ["wrongNASA [LOC] 0.900", "missedNASA [ORG]"]
    assert "sings [<b>] 0.900, cuts a word" in posts[1].text()


def test_models_are_compared_with_fixed_and_broken_entities(compared: Path) -> None:
    rows = cells(part(compared, "F1"))
    assert [row[0] for row in rows[1:]] == ["one", MODEL, "three"]
    against = cells(part(compared, "Against one"))
    assert [row[4:6] for row in against[1:]] == [["2", "1"], ["2", "1"]]
    shown = part(compared, "three: entities that it fixes and breaks")
    kinds = [node.text() for node in shown.all("span", "verdict")]
    assert kinds == ["fixed", "one", "three"] * 2 + ["broken", "one", "three"]
    assert [node.text() for node in shown.all("bdi")][:3] == ["Ada [PER]", "no entity", "Ada [PER]"]


@pytest.mark.parametrize(("name", "hostile"), [("evaluated", HOSTILE), ("compared", MODEL)])
def test_nothing_of_strangers_becomes_markup_and_the_policy_lets_nothing_in(
    name: str, hostile: str, request: pytest.FixtureRequest
) -> None:
    page = tree(request.getfixturevalue(name))
    assert hostile in page.text()
    assert not page.all("script")
    assert not page.all("img")
    assert not [node for node in page.all() if "style" in node.attributes or "href" in node.attributes]
    (policy,) = (
        meta.attributes["content"] or ""
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digest = base64.b64encode(sha256(page.all("style")[0].text().encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_a_report_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    data = write_posts(tmp_path / "bare.jsonl", "nothing")
    page = tmp_path / "page.html"
    page.write_text("before")
    arguments = ["evaluate", PARIS, "--data", str(data), "--html"]
    assert CliRunner().invoke(cli, [*arguments, str(page)]).exit_code != 0
    assert page.read_text() == "before"
    over_itself = CliRunner().invoke(cli, [*arguments, str(data)])
    assert "is the file that is read" in str(over_itself.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.jsonl", "page.html"]


def test_a_bar_is_as_long_as_its_share() -> None:
    figure = read(bars([("LOC", [0.5, 0.25]), ("PER", [1.0, 0.0])], ["text", "image+text"]))
    plot = figure.all("svg", "plot")[0]
    lengths = [float(bar.attributes["width"] or "") for bar in plot.all("rect")]
    assert [length / lengths[2] for length in lengths] == pytest.approx([0.5, 0.25, 1.0, 0.0], abs=1e-3)
    assert [item.text() for item in figure.all("li")] == ["text", "image+text"]
    counts = read(bars([("a", [3]), ("b", [12])], ["fixed"], unit=""))
    assert [float(bar.attributes["width"] or "") for bar in counts.all("rect")] == [105.0, 420.0]
    assert not counts.all("li")


def test_an_interval_is_drawn_where_it_is_and_zero_is_marked() -> None:
    figure = read(whiskers([("a", 0.02, -0.02, 0.06), ("b", 0.04, 0.04, 0.04)], zero=True))
    (zero,) = figure.all("line", "zero")
    lines, dots = figure.all("line", "whisker"), figure.all("circle")

    def at(node: Node, name: str) -> float:
        return float(node.attributes[name] or "")

    start, end, origin = at(lines[0], "x1"), at(lines[0], "x2"), at(zero, "x1")
    assert (origin - start) / (end - start) == pytest.approx(0.25, abs=0.01)
    assert at(dots[0], "cx") == pytest.approx((start + end) / 2, abs=0.2)
    assert at(lines[1], "x1") == at(lines[1], "x2") == at(dots[1], "cx")


def test_a_calibration_bar_is_as_high_as_the_accuracy_and_its_gap_reaches_the_confidence() -> None:
    found = reliability([(0.9, True), (0.9, False), (0.3, True)])
    assert found is not None
    figure = read(reliability_plot("entities", found))
    side = float(figure.all("rect", "frame")[0].attributes["height"] or "")
    heights = [
        [float(bar.attributes["height"] or "") / side for bar in figure.all("rect", css)]
        for css in ("series-0", "gap")
    ]
    assert heights[0] == pytest.approx([1.0, 0.5], abs=0.01)
    assert heights[1] == pytest.approx([0.7, 0.4], abs=0.01)


def test_each_mistake_is_one_confusion() -> None:
    gold = frozenset({Span(0, 2, "PER"), Span(3, 4, "LOC"), Span(5, 6, "ORG"), Span(7, 8, "PER")})
    found = frozenset({Span(0, 2, "ORG"), Span(3, 5, "LOC"), Span(7, 8, "PER"), Span(9, 10, "MISC")})
    post = JudgedPost(gold, found, (Span(5, 6, "ORG"),))
    assert confusions([post]) == {
        Confusion("PER", "ORG", "right"): 1,
        Confusion("LOC", "LOC", "wrong"): 1,
        Confusion("ORG", "ORG", "wrong"): 1,
        Confusion(None, "MISC", "none"): 1,
    }
    assert confusions([JudgedPost(gold, frozenset())])[Confusion("PER", None, "none")] == 2


def test_the_worst_posts_are_those_with_the_surest_wrong_entities() -> None:
    right, wrong = Span(0, 1, "PER"), Span(0, 1, "LOC")
    posts = [JudgedPost(frozenset({right}), frozenset({span})) for span in (wrong, right, wrong)]
    posts += [JudgedPost(frozenset({right}), frozenset()), JudgedPost(frozenset(), frozenset(), (wrong,))]
    said = [
        Predicted((ScoredSpan(span, score),), (), (), 0.0)
        for span, score in ((wrong, 0.6), (right, 1.0), (wrong, 0.7))
    ]
    said += [Predicted((), (), (), 0.0), Predicted((), (ScoredSpan(wrong, 0.65),), (), 0.0)]
    worst = worst_posts(posts, said, most=9)
    assert [(one.index, one.loss, one.missed) for one in worst] == [
        (2, 0.7, 1),
        (4, 0.65, 0),
        (0, 0.6, 1),
        (3, 0.0, 1),
    ]
    assert len(worst_posts(posts, said, most=2)) == 2


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        require("chromium", "not on PATH: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.mark.parametrize("width", [1100, 400])
def test_a_browser_shows_the_pages_without_complaint_and_asks_for_nothing(
    browser: Any, evaluated: Path, compared: Path, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for file in (evaluated, compared):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        assert page.evaluate("getComputedStyle(document.querySelector('section')).borderRadius") == "12px"
        assert page.title().endswith(("evaluated", "compared"))
    assert asked == [evaluated.as_uri(), compared.as_uri()]
    assert complaints == []
    context.close()
