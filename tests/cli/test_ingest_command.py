"""`streamproc ingest` as people and scripts meet it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import Deployment, body

HINT = "`streamproc schema post` says what a post looks like"
BAD = b'{"platform": "Test", "id": "3", "text": "x"}'
COMPLAINT = "platform: expected a lower-case name that matches ^[a-z0-9][a-z0-9._-]{0,63}$"
DELETION = b'{"platform": "test", "id": "1", "op": "delete"}'


@pytest.mark.parametrize(("feed", "offered"), [("jsonl", False), ("bluesky", True)])
def test_state_is_offered_by_the_feeds_that_can_go_on_from_it(feed: str, offered: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamproc", "ingest", feed, "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ("--state" in done.stdout) == offered


def test_bad_lines_take_one_line_each_and_a_hint_ends_them(
    deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    stream = deploy()
    file = tmp_path / "posts.jsonl"

    def ingest(*lines: bytes) -> tuple[int, str, list[str]]:
        file.write_bytes(b"\n".join(lines))
        done = stream.run("ingest", "jsonl", str(file), check=False)
        return done.returncode, done.stdout.strip(), done.stderr.splitlines()

    posts = stream.settings["topics.posts"]
    assert ingest(body(1), DELETION, BAD) == (
        1, f"1 post and 1 deletion delivered to {posts}, 1 bad line", [f"line 3: {COMPLAINT}", HINT]
    )  # fmt: skip
    assert ingest(BAD, body(1), body(2), BAD) == (
        1, f"2 posts and 0 deletions delivered to {posts}, 2 bad lines",
        [f"line 1: {COMPLAINT}", f"line 4: {COMPLAINT}", HINT],
    )  # fmt: skip
    assert ingest(body(1)) == (0, f"1 post and 0 deletions delivered to {posts}, 0 bad lines", [])
