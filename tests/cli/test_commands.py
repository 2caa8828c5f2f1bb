"""The command line as people and scripts meet it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamproc.cli.main import BUILT_IN
from streamproc.entities import TaggedPost
from streamproc.local import OrderedSink
from tests.services.triton import Triton


def streamproc(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "streamproc", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


POSTS = b"""{"platform": "test", "id": "1", "text": "Ada met Grace in Berlin"}
not json
{"platform": "test", "id": "1", "op": "delete"}

{"platform": "test", "id": "2", "text": "x\\u0000"}
{"platform": "test", "id": "3", "text": ""}
"""


def test_an_error_that_cannot_be_written_as_utf8_is_told_all_the_same() -> None:
    lines: list[bytes] = []
    sink = OrderedSink(lines.append)
    sink.expect(1)
    sink.fail(1, ValueError("a\ud800b"), "fuse")
    sink.end(1)
    assert json.loads(lines[0])["error"]["message"] == "a?b"


def test_a_tag_that_is_ended_leaves_no_draft_behind(tmp_path: Path) -> None:
    command = ["tag", "-", "--plugin", "capitals", "--output", str(tmp_path / "out.jsonl")]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamproc", *command], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    process.stdin.write(POSTS)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not any(draft.stat().st_size for draft in tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_that_takes_time() -> None:
    program = (
        "import sys, click, contextlib\n"
        "from streamproc.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "heavy = {'faust', 'aiokafka', 'kafka', 'pydantic', 'numpy', 'rich', 'aiohttp', 'redis', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in BUILT_IN:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_command_explains_itself(name: str) -> None:
    done = streamproc(name, "--help")
    assert done.returncode == 0
    assert b"Usage: streamproc" in done.stdout


def test_a_mistyped_command_names_the_nearest_one() -> None:
    done = streamproc("wroker")
    assert done.returncode == 2
    assert b"did you mean worker?" in done.stderr


def test_tag_writes_one_object_a_line_in_input_order_and_exits_1_for_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(POSTS)
    done = streamproc("tag", str(file), "--plugin", "capitals")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    tagged = TaggedPost.from_json(done.stdout.splitlines()[0])
    assert [entity.text for entity in tagged.entities] == ["Ada", "Grace", "Berlin"]
    assert (lines[1]["line"], lines[1]["error"]["type"], lines[1]["error"]["stage"]) == (
        2,
        "MalformedPost",
        "decode",
    )
    assert lines[2]["op"] == "delete"
    assert lines[3]["line"] == 5
    assert lines[4]["skipped"] == "empty text"


@pytest.mark.parametrize(
    ("posts", "setting", "told"),
    [
        (
            b"not json\n[]\n", "limits.text_chars=99",
            ["2 lines could not be tagged: see the error objects in the output",
             "`streamproc schema post` says what a post looks like"],
        ),
        (
            POSTS.splitlines()[0], "limits.text_chars=3",
            ["1 line could not be tagged: see the error object in the output"],
        ),
    ],
)  # fmt: skip
def test_tag_ends_with_how_many_lines_failed_and_names_the_schema_where_they_are_no_posts(
    posts: bytes, setting: str, told: list[str]
) -> None:
    done = streamproc("tag", "-", "--plugin", "capitals", "--set", setting, stdin=posts)
    assert (done.returncode, done.stderr.decode().splitlines()[-len(told) :]) == (1, told)


def test_tag_reads_standard_input_and_writes_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    done = streamproc("tag", "-", "--plugin", "capitals", "--output", str(output), stdin=POSTS)
    assert (done.returncode, done.stdout) == (1, b"")
    assert len(output.read_bytes().splitlines()) == 5
    failed = streamproc(
        "tag", str(tmp_path / "none.jsonl"), "--plugin", "capitals", "--output", str(tmp_path / "x")
    )
    assert failed.returncode == 2
    assert b"none.jsonl" in failed.stderr
    assert not list(tmp_path.glob("x*"))


def test_tag_never_writes_over_what_it_reads_nor_replaces_what_is_no_file(tmp_path: Path) -> None:
    posts = tmp_path / "posts.jsonl"
    posts.write_bytes(POSTS)
    same = streamproc(
        "tag", str(posts), "--plugin", "capitals", "--output", str(tmp_path / "." / "posts.jsonl")
    )
    assert same.returncode == 2
    assert b"is the file that is read" in same.stderr
    assert posts.read_bytes() == POSTS
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "real.jsonl")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    streamproc("tag", str(posts), "--plugin", "capitals", "--output", str(link))
    assert link.is_symlink()
    assert len((tmp_path / "real.jsonl").read_bytes().splitlines()) == 5
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    streamproc("tag", str(posts), "--plugin", "capitals", "--output", str(pipe))
    read, _ = reader.communicate(timeout=20)
    assert len(read.splitlines()) == 5
    assert pipe.is_fifo()


def test_tag_reads_tokens_with_captions_and_conll() -> None:
    tokens = b'{"id": "a", "tokens": ["Ada", "in", "Berlin"], "captions": {"one": "a tower"}}\n'
    conll = b"IMGID:7\nAda\tB-PER\nin\tO\nBerlin\tB-LOC\n\nno\tO\n"
    (line,) = streamproc("tag", "-", "--plugin", "capitals", stdin=tokens).stdout.splitlines()
    assert [e["text"] for e in json.loads(line)["entities"]] == ["Ada", "Berlin"]
    lines = streamproc(
        "tag", "-", "--plugin", "capitals", "--format", "conll", stdin=conll
    ).stdout.splitlines()
    assert [len(json.loads(line)["entities"]) for line in lines] == [2, 0]


NOWHERE = ("--broker", "127.0.0.1:1", "--set", "kafka.start_timeout_s=0")
CAPITALS = ("--set", 'routes=[{primary="capitals"}]')


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("tag", "-", "--plugin", "capitls"), "did you mean capitals"),
        (("tag", "-", "--plugin", "capitals", "--look", "maybe"), "expected always, never or uncertain"),
        (("tag", "-", "--set", "kafka.brokr=x"), "did you mean broker"),
        (("tag", "-", "--config", "/no/such/file.toml"), "No such file"),
        (("worker", *CAPITALS, *NOWHERE), "no Kafka at 127.0.0.1:1"),
        (("ingest", "jsonl", "/no/such/posts.jsonl", *NOWHERE), "no Kafka at 127.0.0.1:1"),
        (("ingest", "bluesky", "--cursor", "yesterday"), "cursor"),
        (("ingest", "jsonl", "posts.jsonl", "--state", "s", *NOWHERE), "cannot go on from where it stood"),
        (("lag", "--broker", "127.0.0.1:1"), "127.0.0.1:1"),
        (("topics", "create", "--broker", "127.0.0.1:1"), "127.0.0.1:1"),
        (("plugins", "check", "nobody"), "no plugin or model named"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_told_in_one_line(arguments: tuple[str, ...], complaint: str) -> None:
    done = streamproc(*arguments)
    assert done.returncode in {1, 2}
    assert complaint in done.stderr.decode().splitlines()[-1]
    assert b"Traceback" not in done.stderr


def test_schema_describes_what_goes_in_and_out() -> None:
    schemas = json.loads(streamproc("schema").stdout)
    assert set(schemas) == {"post", "tagged", "settings"}
    assert "delete" in json.dumps(schemas["post"])
    assert "entity_key" in schemas["tagged"]["properties"]


def test_plugins_list_names_the_built_in_one_and_check_runs_the_contract() -> None:
    rows = json.loads(streamproc("plugins", "list", "--json").stdout)
    assert {
        "name": "capitals",
        "kind": "plugin",
        "version": "1",
        "modalities": {},
        "needs_model": False,
    } in rows
    done = streamproc("plugins", "check", "capitals")
    assert done.returncode == 0
    assert b"8 of 8 checks passed" in done.stdout


def test_tag_says_how_many_pictures_could_not_be_seen(tmp_path: Path) -> None:
    posts = [
        {
            "platform": "t",
            "id": str(n),
            "text": "hello",
            "media": [{"type": "image", "url": "file:none.png"}],
        }
        for n in range(3)
    ]
    file = tmp_path / "posts.jsonl"
    file.write_text("".join(json.dumps(post) + "\n" for post in posts))
    done = streamproc("tag", str(file), "--look", "always")
    assert done.returncode == 0
    assert done.stderr.startswith(b"3 posts with pictures that could not be seen: fetch refused: file: ")
    assert b"could not be seen" not in streamproc("tag", str(file), "--look", "never").stderr
    file.write_text(json.dumps(posts[0]))
    one = streamproc("tag", str(file), "--look", "always")
    assert one.stderr.startswith(b"1 post with pictures that could not be seen: ")


def test_doctor_says_what_is_missing_and_what_to_do() -> None:
    done = streamproc(
        "doctor", "--json", "--broker", "127.0.0.1:1", "--set", 'routes=[{primary="capitals"}]'
    )
    findings = {finding["part"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    assert findings["plugin capitals"]["advice"] == ""
    assert "set kafka.broker" in findings["kafka"]["advice"]


def test_doctor_asks_redis_and_triton_and_neither_is_needed(redis_url: str, triton: Triton) -> None:
    def extractors_and_cache(*settings: str) -> dict[str, tuple[str, str, bool]]:
        done = streamproc("doctor", "--json", *(part for s in settings for part in ("--set", s)))
        return {
            found["part"]: (found["found"], found["advice"], found["needed"])
            for found in json.loads(done.stdout)
            if found["part"].startswith(("cache", "triton", "extractor"))
        }

    there = extractors_and_cache(f"vision.cache={redis_url}", f"vision.extractors={triton.url}")
    assert there["cache"][0].startswith("Redis ")
    host = triton.url.removeprefix("triton://")
    assert there[f"triton {host}"][0].startswith("triton ")
    assert there["extractor ocr"][1:] == ("", False)
    assert there["extractor grid"][0].startswith(f"on {host}, example-grid")

    away = extractors_and_cache(
        "vision.cache=redis://127.0.0.1:1", "vision.extractors=triton://127.0.0.1:1"
    )
    assert (away["cache"][0], away["cache"][2]) == ("not reachable", False)
    assert (away["triton 127.0.0.1:1"][0], away["triton 127.0.0.1:1"][2]) == ("not reachable", False)
    assert "start it, or mend vision.extractors" in away["triton 127.0.0.1:1"][1]

    here = extractors_and_cache("vision.engines.ocr.detection_side=1")
    assert here["cache"] == ("in this process", "", True)
    assert "vision.engines.ocr: detection_side" in here["extractor ocr"][1]


def test_a_reader_that_goes_away_ends_the_command_without_a_traceback() -> None:
    many = POSTS.splitlines(keepends=True)[0] * 20_000
    process = subprocess.Popen(
        [sys.executable, "-m", "streamproc", "tag", "-", "--plugin", "capitals"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert b"Traceback" not in _feed(process, many)


def _feed(process: subprocess.Popen[bytes], data: bytes) -> bytes:
    """Give the process its input, whether or not it takes all of it; returns its standard error."""
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass
    stderr = process.stderr.read()
    assert process.wait(timeout=60) != 0
    return stderr
