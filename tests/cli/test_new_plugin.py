"""`streamproc plugins new`: what it writes installs, keeps the contract, and tags posts in a worker."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from streamproc.cli import main
from streamproc.entities import TaggedPost
from tests.services.kafka import Kafka
from tests.test_worker import Deployment

NAME = "place-names"
FOLDER = "my plugins/places"
"""With a space, as folders of people have them."""

FILES = {
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "streamproc_place_names/__init__.py",
    "streamproc_place_names/model.py",
    "streamproc_place_names/names.py",
    "streamproc_place_names/own_model/names.tsv",
    "streamproc_place_names/plugin.py",
    "streamproc_place_names/py.typed",
    "tests/test_plugin.py",
}
REPOSITORY = Path(__file__).parents[2]


def run(*command: str, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program; with `site`, packages in that folder are installed for it."""
    environment = os.environ | ({"PYTHONPATH": str(site)} if site is not None else {})
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@dataclass(frozen=True)
class Made:
    """A plugin that was made, the commands that were printed for it, and where it is installed."""

    folder: Path
    commands: list[str]
    site: Path

    def type_in(self, number: int) -> subprocess.CompletedProcess[str]:
        """Give a printed command to a shell, as it stands."""
        return run("sh", "-c", self.commands[number], cwd=self.folder.parents[1], site=self.site)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    work = tmp_path_factory.mktemp("new_plugin")
    done = run(sys.executable, "-m", "streamproc", "plugins", "new", NAME, "--dir", FOLDER, cwd=work)
    assert done.returncode == 0, done.stderr
    commands = [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")]
    # The printed command, but into a folder of its own and with the build backend that is here.
    pip = [word for word in shlex.split(commands[0]) if word != "-e"]
    here = ("--no-deps", "--no-build-isolation", "--no-index", "--target", "site")
    installed = run(*pip, *here, cwd=work)
    assert installed.returncode == 0, installed.stderr
    return Made(work / FOLDER, commands, work / "site")


def test_the_package_has_all_that_a_package_needs_and_the_modalities_that_were_asked_for(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {str(f.relative_to(made.folder)) for f in made.folder.rglob("*") if f.is_file()} == FILES
    assert len(made.commands) == 4
    assert 'SEEN: Final[tuple[Modality, ...]] = ("alt", "ocr")' in _model(made.folder)
    main_exits(0, "plugins", "new", "mine", "--dir", str(tmp_path / "a/b"), "--modality", "captions")
    assert f"made {tmp_path}/a/b: {len(FILES)} files" in capsys.readouterr().out
    assert '= ("captions",)' in _model(tmp_path / "a/b")


def _model(folder: Path) -> str:
    (file,) = folder.glob("streamproc_*/model.py")
    return file.read_text()


def main_exits(code: int, *arguments: str) -> None:
    try:
        main(list(arguments))
        ended = 0
    except SystemExit as end:
        ended = int(end.code or 0)
    assert ended == code


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("Place Names",), "such as place-names"),
        (("place_names",), "such as place-names"),
        (("place--names",), "such as place-names"),
        (("7seas",), "such as seas"),
        (("東京",), "words joined by hyphens"),
        (("a" * 41,), "at most 40"),
        (("none",), "a route that says none skips its posts"),
        (("capitals",), "taken by an installed plugin"),
        (("mner-tweets-sm",), "taken by an installed model"),
        (("mner",), "there is a Python package streamproc_mner already"),
        (("mine", "--modality", "grid"), "'grid' is not one of 'alt', 'captions', 'objects', 'ocr'"),
        (("mine", "--dir", "full"), "folder full is not empty"),
        (("mine", "--dir", "full/file"), "'full/file' is a file"),
        (("mine", "--dir", "full/file/below"), "cannot write full/file/below/"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_and_nothing_is_written(
    arguments: tuple[str, ...],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    main_exits(2, "plugins", "new", *arguments)
    assert complaint in capsys.readouterr().err.splitlines()[-1]
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["full", "full/file"]


def test_a_fresh_git_repository_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    main_exits(0, "plugins", "new", "mine", "--dir", str(tmp_path))
    assert (tmp_path / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("name", "modalities"),
    [("ab", ("objects",)), ("a2345-" * 6 + "abcd", ("alt", "captions", "objects", "ocr"))],
    ids=["short", "long"],
)
def test_ruff_finds_nothing_to_say_whatever_the_name_and_its_own_tests_pass(
    tmp_path: Path, name: str, modalities: tuple[str, ...]
) -> None:
    flags = [flag for modality in modalities for flag in ("--modality", modality)]
    main_exits(0, "plugins", "new", name, "--dir", str(tmp_path), *flags)
    for check in (("check",), ("format", "--check")):
        done = run(sys.executable, "-m", "ruff", *check, "--no-cache", ".", cwd=tmp_path)
        assert done.returncode == 0, done.stdout
    passed = run(sys.executable, "-m", "pytest", "-q", cwd=tmp_path, site=tmp_path)
    assert passed.returncode == 0, passed.stdout


def test_mypy_strict_finds_nothing_to_say(made: Made) -> None:
    command = ("mypy", "--strict", "--cache-dir", str(made.site.parent / "mypy"), ".")
    done = run(sys.executable, "-m", *command, cwd=made.folder)
    assert done.returncode == 0, done.stdout


def test_the_printed_commands_check_test_and_use_the_installed_plugin(made: Made) -> None:
    checked, tested, tagged = (made.type_in(number) for number in (1, 2, 3))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "FAIL" not in checked.stdout
    assert "no entity" not in checked.stdout, "the suite's posts hold names that it finds"
    assert tested.returncode == 0, tested.stdout
    post = TaggedPost.from_json(tagged.stdout)
    assert [(e.text, e.type, e.start, e.end) for e in post.entities] == [("Paris", "LOC", 0, 5)]
    assert post.plugin.name == NAME
    assert post.uncertainty == pytest.approx(0.3)


def test_an_installed_plugin_is_listed_and_its_name_is_taken(made: Made) -> None:
    listed = run(
        sys.executable, "-m", "streamproc", "plugins", "list", "--json", cwd=made.folder, site=made.site
    )
    assert {
        "name": NAME,
        "kind": "plugin",
        "version": "0.1.0",
        "modalities": {"alt": "optional", "ocr": "optional"},
        "needs_model": False,
    } in json.loads(listed.stdout)
    again = run(
        *(sys.executable, "-m", "streamproc", "plugins", "new", NAME, "--dir", "again"),
        cwd=made.site.parent,
        site=made.site,
    )
    assert again.returncode == 2
    assert f"{NAME!r} is taken by an installed plugin" in again.stderr


def test_its_settings_are_checked_and_name_a_list_of_the_users_own(made: Made, tmp_path: Path) -> None:
    (tmp_path / "list").mkdir()
    (tmp_path / "list/names.tsv").write_text("Harbour City\tLOC\n", "utf-8")
    settings = tmp_path / "settings.toml"
    text = f'[plugins.{NAME}]\nplugin = "{NAME}"\nmodel = "{tmp_path}/list"\nconfig = {{ %s }}\n'
    tag = (sys.executable, "-m", "streamproc", "tag", "posts.jsonl", "--plugin", NAME, "--config")
    (tmp_path / "posts.jsonl").write_text('{"platform": "x", "id": "1", "text": "Harbour City or paris?"}')
    settings.write_text(text % 'ignore_case = true, names = { "Paris" = "LOC" }')
    done = run(*tag, str(settings), cwd=tmp_path, site=made.site)
    post = TaggedPost.from_json(done.stdout)
    assert [entity.text for entity in post.entities] == ["Harbour City", "paris"]
    assert (post.plugin.model, len(post.plugin.model_version or "")) == ("list", 12)
    settings.write_text(text % "ignore_caes = true")
    refused = run(*tag, str(settings), cwd=tmp_path, site=made.site)
    assert refused.returncode == 2
    assert f"plugins.{NAME}.config: ignore_caes: Extra inputs are not permitted" in refused.stderr


@pytest.fixture
def stream(
    kafka: Kafka, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """A deployment in which posts of platform `own` go to the plugin, others to `capitals` and it."""
    monkeypatch.setenv("PYTHONPATH", str(made.site))
    routes = (
        f'[{{when={{platform=["own"]}}, primary="{NAME}"}},'
        f' {{primary="capitals", shadow=[{{plugin="{NAME}"}}]}}]'
    )
    deployment = Deployment(kafka, tmp_path, routes=routes)
    deployment.run("topics", "create")
    yield deployment
    deployment.end()


async def test_a_running_worker_tags_posts_with_it_as_primary_and_as_shadow(stream: Deployment) -> None:
    text = "Off to Paris with Ada"
    media = [{"type": "image", "url": "https://example.org/a.png", "alt": "A sign, WELCOME TO PARIS"}]
    own = {"platform": "own", "id": "1", "text": text, "media": media}
    other = {"platform": "other", "id": "2", "text": text}
    stream.start_worker()
    await stream.send({"own:1": json.dumps(own).encode(), "other:2": json.dumps(other).encode()})
    primary = {p.post_id: p for p in map(_read, await stream.read("entities", lambda r: len(r) == 2))}
    (shadow,) = map(_read, await stream.read("shadow", bool))
    (paris,) = primary["1"].entities
    assert (paris.text, paris.type, primary["1"].plugin.name) == ("Paris", "LOC", NAME)
    assert paris.score == pytest.approx(0.88), "its alt text names Paris too"
    assert primary["1"].visuals["alt"].status == "used"
    assert [entity.text for entity in primary["2"].entities] == ["Off", "Paris", "Ada"]
    assert (shadow.post_id, shadow.plugin.name) == ("2", NAME)
    assert [(e.text, e.score) for e in shadow.entities] == [("Paris", pytest.approx(0.7))]


def _read(record: Any) -> TaggedPost:
    return TaggedPost.from_json(record.value)


def test_the_wheel_of_streamproc_carries_the_template(tmp_path: Path) -> None:
    done = run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    carried = {name for name in ZipFile(wheel).namelist() if name.endswith(".template")}
    assert len(carried) == len(FILES)
