"""`streamproc analyse`: tables, JSON, plots and pages of all analyses, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="needs the [train] extra")

import numpy as np
from click.testing import CliRunner, Result
from matplotlib.image import imread

from plugins.mner.tests.analysis_models import BLIND, PLUGIN, random_posts, write_posts
from streamproc.errors import InputError, PluginError, SettingsError
from streamproc_mner.analysis.figure import drawn
from streamproc_mner.analysis.findings import Findings
from streamproc_mner.cli.analyse import command

ALL = (
    "ambiguous", "caption-quality", "captions", "distance", "length", "look", "seen", "size", "types",
    "vocabulary",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_posts(tmp_path_factory.mktemp("data") / "posts.jsonl", random_posts(30, seed=3))


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments), "--resamples", "100"])


def _commands(data: Path) -> dict[str, list[object]]:
    """Those that a plugin without a network can be analysed with."""
    given = [PLUGIN, "--data", data]
    return {
        "length": given,
        "types": given,
        "seen": [*given, "--train", data],
        "ambiguous": [*given, "--train", data],
        "captions": given,
        "caption-quality": [*given, "--captioner", "one"],
    }


@pytest.mark.parametrize("name", ["length", "types", "seen", "ambiguous", "captions", "caption-quality"])
def test_an_analysis_is_a_table_json_a_plot_and_a_page(name: str, data: Path, tmp_path: Path) -> None:
    given = _commands(data)[name]
    shown = _run(name, *given)
    assert shown.exit_code == 0, shown.output
    plot, page = tmp_path / "plot.png", tmp_path / "page.html"
    told = _run(name, *given, "--json", "--plot", plot, "--html", page)
    assert told.exit_code == 0, told.output
    findings = json.loads(told.stdout)
    assert findings["analysis"] == name
    lines = shown.stdout.splitlines()
    assert lines[0] == findings["title"]
    assert lines[2].split() == " ".join(findings["rows"][0]).split()
    assert len(lines) == 3 + len(findings["rows"]) + 1 + len(findings["notes"])
    for line, row in zip(lines[3:], findings["rows"], strict=False):
        assert row["F1"] is None or f"{row['F1']:.2f}" in line.split()
    assert lines[-len(findings["notes"]) :] == findings["notes"]
    _is_no_blank(plot.read_bytes())
    cells = _Page.of(page)
    assert len(cells.rows) == 1 + len(findings["rows"])
    assert cells.texts("li") == findings["notes"]
    _is_no_blank(cells.picture)


def _is_no_blank(png: bytes) -> None:
    pixels = np.asarray(imread(BytesIO(png)))
    assert pixels.shape[0] > 400
    assert len(np.unique(pixels[..., 0])) > 10


class _Page(HTMLParser):
    """What stands in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[tuple[str, str]] = []

    @classmethod
    def of(cls, path: Path) -> _Page:
        page = cls()
        page.feed(path.read_text("utf-8"))
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        inside = self.tags[-1][0] if self.tags else ""
        if inside in ("td", "th"):
            self.rows[-1][-1] += data
        self._texts.append((inside, data))

    def texts(self, tag: str) -> list[str]:
        return [text for name, text in self._texts if name == tag and text.strip()]

    @property
    def picture(self) -> bytes:
        import base64

        (source,) = [str(given["src"]) for tag, given in self.tags if tag == "img"]
        return base64.b64decode(source.removeprefix("data:image/png;base64,"))


def test_a_page_fetches_nothing_and_runs_nothing_that_the_data_says(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    data = write_posts(
        tmp_path / "posts.jsonl",
        [{"tokens": ["paris"], "tags": [f"B-{evil}"]}, {"tokens": ["paris"], "tags": ["B-LOC"]}],
    )
    page = tmp_path / "page.html"
    assert _run("types", PLUGIN, "--data", data, "--html", page).exit_code == 0
    found = _Page.of(page)
    assert [row[0] for row in found.rows] == ["type", evil, "LOC", "all"]
    assert {tag for tag, _ in found.tags} & {"script", "link", "iframe"} == set()
    (policy,) = [str(given["content"]) for tag, given in found.tags if given.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_a_plot_may_be_svg(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    assert _run("length", PLUGIN, "--data", data, "--plot", path).exit_code == 0
    root = ET.parse(path).getroot()
    assert root.tag.endswith("}svg")
    assert len(list(root.iter())) > 50


def test_several_models_are_compared_with_the_first(data: Path) -> None:
    rows = json.loads(_run("types", BLIND, PLUGIN, "--data", data, "--json").stdout)["rows"]
    of_all = [row for row in rows if row["type"] == "all"]
    assert [(row["model"], row["view"]) for row in of_all] == [(BLIND, "T"), (PLUGIN, "T"), (PLUGIN, "I+T")]
    assert of_all[1]["difference"] == 0
    assert of_all[2]["difference"] == pytest.approx(of_all[2]["F1"] - of_all[0]["F1"])


def test_only_the_view_that_is_asked_for_is_measured(data: Path) -> None:
    for view, short in (("text", "T"), ("image+text", "I+T")):
        told = json.loads(_run("types", PLUGIN, "--data", data, "--view", view, "--json").stdout)
        assert {row["view"] for row in told["rows"]} == {short}


def _error(*arguments: object) -> BaseException | None:
    return _run(*arguments).exception


def test_refusals_say_what_is_wrong(data: Path, tmp_path: Path) -> None:
    bare = write_posts(tmp_path / "bare.jsonl", [{"tokens": ["paris"], "tags": ["B-LOC"]}])
    expected: list[tuple[list[Any], type[Exception], str]] = [
        (["captions", BLIND, "--data", data], InputError, "reads no captions"),
        (["captions", PLUGIN, "--data", bare], InputError, "no captions: give them"),
        (["caption-quality", PLUGIN, "--data", data, "--captioner", "x"], InputError, "are by one, two"),
        (["types", PLUGIN, "--data", bare, "--view", "image+text"], InputError, "no image+text view"),
        (["types", PLUGIN, PLUGIN, "--data", data], SettingsError, "named twice"),
        (["types", "nothing", "--data", data], PluginError, "no installed model"),
        (["length", PLUGIN, "--data", data, "--borders", "9,3"], SettingsError, "rising numbers"),
        (["length", PLUGIN, "--data", data, "--plot", "plot.pdf"], SettingsError, ".png or .svg"),
        (["length", PLUGIN, "--data", data, "--html", data], SettingsError, "is the file that is read"),
        (["distance", PLUGIN, "--data", data], InputError, "a plugin alone has no network"),
        (["vocabulary", "capitals", "--data", data], InputError, "a plugin alone has no network"),
        (
            ["size", "moon2018/w", "--data", tmp_path, "--out", tmp_path / "out"],
            SettingsError,
            "no valid.jsonl",
        ),
        (
            ["size", "moon2018/w", *["--data", tmp_path] * 2, "--out", tmp_path / "out"],
            SettingsError,
            "--data is given 2 times",
        ),
    ]
    for arguments, kind, words in expected:
        error = _error(*arguments)
        assert type(error) is kind, (arguments, error)
        assert words in str(error)
        assert "\n" not in str(error)


def test_the_training_file_is_asked_for(data: Path) -> None:
    for name in ("seen", "ambiguous"):
        told = _run(name, PLUGIN, "--data", data)
        assert told.exit_code == 2
        assert "Missing option '--train'" in told.output


def test_a_plot_of_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(SettingsError, match="nothing to draw"):
        drawn(Findings("empty", "Nothing", ("a",), ()), "png")


def test_help_lists_all_analyses_and_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from streamproc_mner.cli.analyse import command\n"
        "print(CliRunner().invoke(command, ['--help']).output)\n"
        "heavy = {'torch', 'transformers', 'matplotlib', 'numpy', 'rich', 'scipy'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "imported: []" in shown.stdout
    listed = [line.split()[0] for line in shown.stdout.splitlines() if line.startswith("  ")]
    assert tuple(name for name in listed if name in ALL) == ALL
