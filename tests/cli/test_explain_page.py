"""`tag --explain`: the page as people meet it, in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamproc.tokens import tokenize
from tests.cli.explaining import brightest_cell, explanation
from tests.services.process import require
from tests.vision.pictures import gradient, saved

PLUGIN = {
    "STREAMPROC_PLUGINS__EXPLAINING__PLUGIN": "tests.cli.explaining:ExplainingPlugin",
    "PYTHONPATH": str(Path(__file__).parents[2]),
}
PICTURE = [{"type": "image", "url": "file:gradient.png", "alt": "a gradient"}]
OUTSIDE = "https://example.org/outside"
HOSTILE = (
    f"</script><script>document.title='run'</script><img src={OUTSIDE} onerror=document.title='run'>"
    f"<link rel=stylesheet href={OUTSIDE}> \"quotes' & Ada"
)
POSTS: list[dict[str, Any]] = [
    {"id": "picture", "text": "Ada Lovelace in Berlin", "media": PICTURE},
    {"id": "hostile", "text": HOSTILE, "media": PICTURE, "author": {"id": HOSTILE}},
    {"id": "rtl", "text": "التقى محمد Ada في القاهرة", "media": PICTURE},
    {"id": "emoji", "text": "👩‍👩‍👧‍👦🎉 Ada in 🇫🇷 Paris", "media": [{"url": "file:gone.png"}]},
]


def tag(*arguments: str, folder: Path, posts: list[dict[str, Any]] | None = None) -> Any:
    """Run the command in a folder, over these posts."""
    lines = "\n".join(json.dumps({"platform": "test", **post}) for post in posts or POSTS)
    return subprocess.run(
        [sys.executable, "-m", "streamproc", "tag", "-", *arguments],
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **PLUGIN},
        cwd=folder,
    )


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `POSTS`, whose picture is really fetched, decoded and looked at."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "gradient.png").write_bytes(saved(gradient(840, 560)))
    page = folder / "page.html"
    done = tag(
        "--plugin",
        "explaining",
        "--look",
        "always",
        "--pictures",
        ".",
        "--explain",
        page.name,
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    return page


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


@pytest.fixture
def page(browser: Any, page_file: Path) -> Iterator[Any]:
    """The page, opened; at the end it must have asked for nothing and complained of nothing."""
    context = browser.new_context(viewport={"width": 1100, "height": 900}, has_touch=True)
    opened = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.goto(page_file.as_uri())
    yield opened
    assert [url for url in requests if not url.startswith("data:")] == [page_file.as_uri()]
    assert complaints == []
    context.close()


def card(page: Any, number: int) -> Any:
    return page.locator("article").nth(number)


def word(page: Any, number: int, index: int) -> Any:
    return card(page, number).locator(f".text [data-word='{index}']").first


def drawn(page: Any, number: int) -> tuple[int, list[list[int]]]:
    """The width of a heat-map, and its pixels as it is drawn: red, green, blue, opacity."""
    width, data = card(page, number).evaluate(
        """card => {
            const canvas = card.querySelector("canvas");
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            return [canvas.width, Array.from(copy.getImageData(0, 0, canvas.width, canvas.height).data)];
        }"""
    )
    return width, [data[start : start + 4] for start in range(0, len(data), 4)]


def brightest(page: Any, number: int) -> int:
    """The cell of a heat-map with the most glow and the least veil."""
    width, pixels = drawn(page, number)
    light = [red * opacity for red, _, _, opacity in pixels]
    y, x = divmod(light.index(max(light)), width)
    return (y * 7 // width) * 7 + x * 7 // width


def test_pointing_at_a_word_shows_where_in_the_picture_it_looked(page: Any) -> None:
    found = set()
    for index in range(len(tokenize(POSTS[0]["text"]))):
        word(page, 0, index).hover()
        assert brightest(page, 0) == brightest_cell(index)
        found.add(brightest(page, 0))
        row, column = divmod(brightest_cell(index), 7)
        assert f"(row {row + 1}, column {column + 1})" in card(page, 0).locator(".over-cells").inner_text()
    assert len(found) == 4
    assert card(page, 0).locator(".over-cells image, .over-cells use").count() == 1


def test_the_heat_map_lies_exactly_over_the_picture_and_lets_it_be_seen(page: Any) -> None:
    for number in (0, 1):  # the picture itself, and another post that uses it
        look = card(page, number).locator(".over-cells .look")
        picture, heat = look.locator("svg").bounding_box(), look.locator("canvas").bounding_box()
        assert picture == heat
        assert picture["width"] / picture["height"] == pytest.approx(840 / 560, rel=0.01)
        shown = look.locator("image, use").bounding_box()
        assert shown == pytest.approx(picture, abs=1)
    opacity = [pixel[3] for pixel in drawn(page, 0)[1]]
    assert 0 < min(opacity) <= max(opacity) < 0.75 * 255


def test_every_figure_follows_the_word_and_goes_back_to_the_mean(page: Any) -> None:
    weights = explanation(POSTS[0]["text"]).weights
    values = card(page, 0).locator(".over-modalities .value")
    mean = values.all_inner_texts()
    word(page, 0, 3).hover()
    assert (
        card(page, 0).locator(".pointed").inner_text()
        == "\u2068Berlin\u2069 · in an entity, MISC · confidence 0.64"
    )
    assert values.all_inner_texts() == [f"{value:.2f}" for value in weights["modality attention"].rows[3]]
    assert card(page, 0).locator(".over-gates .value").all_inner_texts() == [
        f"{value:.2f}" for value in weights["gates"].rows[3]
    ]
    boxes = card(page, 0).locator(".region")
    opacity = [float(boxes.nth(box).get_attribute("opacity")) for box in range(3)]
    assert opacity.index(max(opacity)) == 3 % 3
    shade = [
        int(re.search(r"h-(\d+)", css)[1]) for css in classes(card(page, 0).locator(".over-tokens .read"))
    ]
    assert shade == sorted(shade)
    assert shade[0] < shade[-1]
    page.mouse.move(1, 1)
    assert values.all_inner_texts() == mean != []
    assert card(page, 0).locator(".pointed").inner_text() == "mean over the words of the entities"


def classes(locator: Any) -> list[str]:
    return [locator.nth(index).get_attribute("class") for index in range(locator.count())]


def test_words_are_reached_with_the_keys_and_by_touch(page: Any) -> None:
    pointed = card(page, 0).locator(".pointed")
    page.keyboard.press("Tab")
    assert "Ada" in pointed.inner_text()
    page.keyboard.press("ArrowRight")
    assert "Lovelace" in pointed.inner_text()
    assert brightest(page, 0) == brightest_cell(1)
    page.keyboard.press("End")
    assert "Berlin" in pointed.inner_text()
    page.keyboard.press("ArrowRight")
    assert "Berlin" in pointed.inner_text()
    page.keyboard.press("Home")
    assert "Ada" in pointed.inner_text()
    page.keyboard.press("Escape")
    assert pointed.inner_text().startswith("mean")
    word(page, 0, 2).tap()
    assert "in\u2069" in pointed.inner_text()
    card(page, 0).locator(".over-modalities .column").nth(3).tap()
    assert "Berlin" in pointed.inner_text()
    assert page.locator("article .text [tabindex='0']").count() == len(POSTS), "one stop of Tab a post"


def test_text_from_right_to_left_reads_and_steps_from_right_to_left(page: Any) -> None:
    first, second = (word(page, 2, index).bounding_box() for index in (0, 1))
    assert first["x"] > second["x"]
    word(page, 2, 0).focus()
    page.keyboard.press("ArrowLeft")
    assert "محمد" in card(page, 2).locator(".pointed").inner_text()


def test_nothing_of_a_post_runs_or_is_asked_for(page: Any) -> None:
    assert "run" not in page.title()
    assert card(page, 1).locator("img, link, script:not(.numbers)").count() == 0
    shown = card(page, 1).evaluate(
        """card => {
            const text = card.querySelector(".text").cloneNode(true);
            for (const chip of text.querySelectorAll(".chip")) chip.remove();
            return text.textContent;
        }"""
    )
    assert shown == HOSTILE


def test_entities_behind_emoji_are_marked_where_they_stand(page: Any) -> None:
    marks = card(page, 3).locator("mark")
    assert [text.split("MISC")[0].strip() for text in marks.all_inner_texts()] == ["Ada", "Paris"]
    assert "fetch failed" in card(page, 3).locator(".evidence").inner_text()
    assert "not at hand" in card(page, 3).locator(".over-cells").inner_text()


def test_the_policy_forbids_what_the_page_does_not_do(
    browser: Any, page_file: Path, tmp_path: Path
) -> None:
    """A page into which somebody wrote a script, a picture and a style all the same."""
    spoiled = tmp_path / "spoiled.html"
    extra = f"<script>document.title='run'</script><img src={OUTSIDE}><style>h1{{color:red}}</style>"
    spoiled.write_text(page_file.read_text("utf-8").replace("<main>", "<main>" + extra), "utf-8")
    context = browser.new_context()
    opened = context.new_page()
    requests: list[str] = []

    def answer(route: Any) -> None:
        requests.append(route.request.url)
        route.fulfill(body="an answer, so that what is asked for is had")

    context.route(OUTSIDE, answer)
    opened.goto(spoiled.as_uri())
    assert opened.title() == "standard input, explained"
    assert requests == []
    assert opened.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"
    assert opened.locator("article").first.locator(".value").first.inner_text() != "", "ours runs"
    context.close()


def test_it_is_light_or_dark_as_the_reader_likes_and_readable_in_both(page: Any) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground, ink = page.evaluate(
            """() => {
                const light = css => css.match(/[\\d.]+/g).slice(0, 3).map(Number)
                    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
                const style = getComputedStyle(document.querySelector("article"));
                return [light(style.backgroundColor), light(style.color)];
            }"""
        )
        grounds.append(ground)
        assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) > 7
    assert grounds[0] > 0.8
    assert grounds[1] < 0.1


def test_without_scripts_the_posts_and_their_bars_are_there(browser: Any, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(page_file.as_uri())
    assert card(opened, 0).locator("mark").count() == 2
    assert card(opened, 0).locator(".over-modalities .column rect").count() == 4 * 3
    assert "Without JavaScript" in opened.locator("noscript").text_content()
    context.close()
