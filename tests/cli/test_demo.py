"""The demo, whole: embedded broker, worker, feed, reader, and the real OCR on the samples."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamproc.demo.run import SAMPLES
from streamproc.posts import Post, parse
from streamproc.testing.contract import TEXTS
from tests.services.kafka import Kafka

PLUGIN = '''
from streamproc.fusion.api import Need
from streamproc.fusion.capitals import CapitalsPlugin


class Seeing(CapitalsPlugin):
    """Capitals, with eyes: what it is told does not change its tags, but it asks for it."""

    def load(self, model_dir, device):
        model = super().load(model_dir, device)
        model.modalities = {"ocr": Need.OPTIONAL, "alt": Need.OPTIONAL}
        return model
'''


def demo(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streamproc", "demo", "--rate", "0", *arguments],
        capture_output=True, text=True, timeout=180, check=False, cwd=path,
    )  # fmt: skip


def test_the_samples_are_valid_and_of_every_kind() -> None:
    messages = [parse(line.encode()) for line in SAMPLES.read_text().splitlines()]
    posts = [message for message in messages if isinstance(message, Post)]
    assert len(messages) >= 30
    assert len(posts) < len(messages), "a delete"
    pictures = [url for post in posts for url in post.picture_urls()]
    assert len(set(pictures)) < len(pictures), "a picture in two posts"
    for url in pictures:
        if url.startswith("file:"):
            assert (SAMPLES.parent / url.removeprefix("file:")).is_file()
    assert any(not post.text for post in posts)
    assert any(post.op == "update" for post in posts)
    assert {post.lang[0] for post in posts if post.lang} > {"en"}


@pytest.mark.usefixtures("mock_broker")
def test_the_samples_come_out_tagged_with_what_the_pictures_said_and_what_was_missing(
    tmp_path: Path,
) -> None:
    (tmp_path / "seeing.py").write_text(PLUGIN)
    done = demo("--set", "plugins.seeing.plugin=seeing:Seeing", "--plugin", "seeing", path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "picture: FINAL / CHICAGO BULLS" in done.stdout
    assert "cannot be decoded" in done.stdout
    assert "fetch failed" in done.stdout
    assert "fetch refused: 127.0.0.1 is not a public address" in done.stdout
    assert "demo:035 deleted" in done.stdout
    assert "36 messages read: 34 tagged, 1 deleted, 1 without text" in done.stdout
    assert "lag 0" in done.stdout


def test_ones_own_posts_through_a_real_broker(kafka: Kafka, tmp_path: Path) -> None:
    posts = tmp_path / "mine.jsonl"
    rows = [{"platform": "mine", "id": str(i), "text": f"{TEXTS[1]} {i}"} for i in range(5)]
    posts.write_text("\n".join(map(json.dumps, rows)))
    done = demo("--posts", str(posts), "--plugin", "capitals", "--broker", kafka.bootstrap)
    assert done.returncode == 0, done.stderr
    assert "5 messages read: 5 tagged" in done.stdout


@pytest.mark.usefixtures("mock_broker")
def test_followed_it_goes_on_with_what_others_bring_until_ctrl_c(tmp_path: Path) -> None:
    posts = tmp_path / "mine.jsonl"
    posts.write_text('{"platform": "mine", "id": "1", "text": "Hello First"}')
    late = tmp_path / "late.jsonl"
    late.write_text('{"platform": "mine", "id": "2", "text": "Hello Second"}')
    command = [
        sys.executable,
        "-m",
        "streamproc",
        "demo",
        "--follow",
        "--plugin",
        "capitals",
        "--posts",
        str(posts),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    broker = next(line for line in process.stdout if "--broker" in line).split("--broker ")[1].split()[0]
    assert "First" in next(line for line in process.stdout if "Hello" in line)
    ingest = ["ingest", "jsonl", str(late), "--broker", broker, "--set", "topics.posts=demo.posts"]
    subprocess.run([sys.executable, "-m", "streamproc", *ingest], check=True, timeout=60)
    assert "Second" in next(line for line in process.stdout if "Hello" in line)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert "2 messages read: 2 tagged" in rest
    assert process.returncode == 0


def test_a_file_without_posts_is_told(tmp_path: Path) -> None:
    posts = tmp_path / "none.jsonl"
    posts.write_text("nothing\n")
    done = demo("--posts", str(posts), "--plugin", "capitals")
    assert done.returncode == 2
    assert "no posts in it (1 line that is none)" in done.stderr
