"""Files of posts: every form, every line end, and lines that are none."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.errors import InputError
from streamproc.feeds.api import BadLine, FeedItem, Item
from streamproc.feeds.file import FileConfig, FileFeed
from streamproc.feeds.formats import Format, recognise
from streamproc.feeds.lines import Line, _Splitter, read_lines
from streamproc.posts import Deletion
from streamproc.repeated_keys import repeated_key
from streamproc.vision.visuals import Captions, Seen


def line(number: int, **values: object) -> bytes:
    return orjson.dumps({"platform": "test", "id": str(number), "text": f"post {number}", **values})


async def read(path: Path, **options: object) -> list[Item]:
    feed = FileFeed(FileConfig.model_validate({"path": str(path), **options}))
    async with aclosing(feed.posts()) as items:
        return [item async for item in items]


def texts(items: Iterable[Item]) -> list[str]:
    return [getattr(item.message, "text", "") for item in items if isinstance(item, FeedItem)]


async def test_posts_and_deletions_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    deletion = b'{"op": "delete", "platform": "test", "id": "1"}'
    file.write_bytes(b"\n".join([line(1), b"", deletion]))
    first, second = await read(file)
    assert isinstance(first, FeedItem)
    assert isinstance(second, FeedItem)
    assert (first.line, first.raw) == (1, line(1))
    assert (second.line, second.raw) == (3, deletion)
    assert isinstance(second.message, Deletion)


@pytest.mark.parametrize(
    ("bad", "key"),
    [
        (b'{"platform": "test", "id": "1", "text": "a", "text": "b"}', "text"),
        (b'{"platform": "test", "id": "1", "text": "a", "media": [{"url": "u", "url": "v"}]}', "url"),
        (b'{"op": "delete", "platform": "test", "id": "1", "id": "2"}', "id"),
        (b'{"id": "1", "tokens": ["a"], "captions": {"x": "a dog", "x": "a cat"}}', "x"),
    ],
)
async def test_a_key_that_stands_twice_is_a_bad_line(tmp_path: Path, bad: bytes, key: str) -> None:
    file = tmp_path / "posts.jsonl"
    form = "tokens" if b"tokens" in bad else "post"
    file.write_bytes(b"\n" + bad)
    (item,) = await read(file, format=form)
    assert isinstance(item, BadLine)
    assert (item.line, item.raw) == (2, bad)
    assert str(item.error) == f"the key {key!r} stands twice in one object: keep one"


def test_only_keys_of_one_object_stand_twice_whatever_their_values() -> None:
    assert repeated_key('{"a": {"b": 1, "c": [{"b": 2}, {"b": NaN}]}, "b": ' + "9" * 5000 + "}") is None
    assert repeated_key('{"a": "no') is None
    assert repeated_key("[" * 100_000) is None
    assert "'b'" in str(repeated_key(b'[{"a": {"b": 1, "c": 2, "b": 1}}]'))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
async def test_line_ends_and_byte_order_marks(tmp_path: Path, end: bytes, mark: bytes, last: bool) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(mark + end.join([line(1), line(2)]) + end * last)
    items = await read(file)
    assert texts(items) == ["post 1", "post 2"]
    assert [item.line for item in items] == [1, 2]


async def test_bad_lines_are_reported_where_they_stand_and_reading_goes_on(tmp_path: Path) -> None:
    bad = [
        b"no json",
        b"[1, 2]",
        b'{"platform": "test"}',
        b'{"platform": "test", "id": "3", "text": "\xff"}',
        line(4, schema_version=99),
        line(5, text="a \x00 b"),
        b"\x00\x01",
    ]
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"\n".join([*bad, line(8)]))
    items = await read(file)
    assert [(item.line, item.raw) for item in items[:-1]] == list(enumerate(bad, start=1))
    assert all(isinstance(item, BadLine) for item in items[:-1])
    assert texts(items) == ["post 8"]


async def test_a_file_of_nothing_but_bad_lines_ends_too(tmp_path: Path) -> None:
    file = tmp_path / "noise"
    file.write_bytes(b"x\n" * 30)
    assert [item.line for item in await read(file)] == list(range(1, 31))


async def test_an_empty_file_has_no_posts(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert await read(tmp_path / "empty") == []


async def test_a_line_that_is_too_long_is_cut_and_bad(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"\n".join([line(1), line(2, text="x" * 300_000), line(3)]))
    items = await read(file, max_line_bytes=1000)
    assert texts(items) == ["post 1", "post 3"]
    assert isinstance(items[1], BadLine)
    assert len(items[1].raw) == 1000
    assert "1000 bytes" in str(items[1].error)


async def test_gzip_also_in_members_and_in_large_pieces(tmp_path: Path) -> None:
    file = tmp_path / "posts.gz"
    long = "x" * 500_000
    file.write_bytes(gzip.compress(line(1, text=long) + b"\n") + gzip.compress(line(2)))
    assert texts(await read(file)) == [long, "post 2"]


async def test_gzip_that_ends_early_says_so_after_its_posts(tmp_path: Path) -> None:
    file = tmp_path / "posts.gz"
    packed = gzip.compress(b"\n".join(line(n, text=os.urandom(50).hex()) for n in range(5000)))
    file.write_bytes(packed[: len(packed) // 2])
    found: list[Item] = []

    async def collect() -> None:
        async for item in FileFeed(FileConfig(path=str(file))).posts():
            found.append(item)  # noqa: PERF401 - what came before the failure is what counts

    with pytest.raises(InputError, match="cut short"):
        await collect()
    assert len(found) > 1000


async def test_damaged_gzip_is_an_input_error(tmp_path: Path) -> None:
    file = tmp_path / "posts.gz"
    file.write_bytes(b"\x1f\x8b" + b"damaged" * 10)
    with pytest.raises(InputError, match="damaged"):
        await read(file)


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"cannot (open|read)"):
        await read(tmp_path / name)


async def test_tokens_become_text_and_captions_visual_context(tmp_path: Path) -> None:
    rows = [
        {
            "id": "17",
            "tokens": ["Go", "#", "Bulls"],
            "tags": ["O"] * 3,
            "captions": {"a": "a cup", "b": ""},
        },
        {"id": 18, "tokens": [], "captions": {}},
        {"tokens": ["hi"]},
    ]
    file = tmp_path / "tokens.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    items = await read(file)
    assert texts(items) == ["Go # Bulls", "", "hi"]
    assert [item.message.id for item in items if isinstance(item, FeedItem)] == ["17", "18", "line-3"]
    assert [item.visuals for item in items if isinstance(item, FeedItem)] == [
        {"captions": Seen((Captions(("a cup",), (0.0,)),))},
        {},
        {},
    ]


async def test_tokens_of_a_wrong_type_are_bad(tmp_path: Path) -> None:
    file = tmp_path / "tokens.jsonl"
    file.write_bytes(
        b'{"tokens": ["a", 1]}\n{"tokens": "abc"}\n{"tokens": ["a\\u0000"]}\n{"tokens": ["b"]}'
    )
    items = await read(file, format="tokens")
    assert [isinstance(item, BadLine) for item in items] == [True, True, True, False]


CONLL = """IMGID:4711
Go\tO
Chicago\tB-ORG
Bulls\tI-ORG

IMGID:4712
\u3000\tO
RT O

Plain NN B-NP O
words NNS I-NP B-LOC
"""


async def test_conll_makes_a_post_of_a_paragraph(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_text(CONLL, encoding="utf-8")
    items = await read(file)
    assert texts(items) == ["Go Chicago Bulls", "\u3000 RT", "Plain words"]
    assert [item.message.id for item in items if isinstance(item, FeedItem)] == ["4711", "4712", "line-10"]
    assert [item.line for item in items] == [2, 7, 10]
    assert items[0].raw == b"Go\tO\nChicago\tB-ORG\nBulls\tI-ORG"


async def test_a_broken_row_costs_its_own_post_only(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_bytes(b"a O\nlonely\nb O\n\nc O\n\n\xff O\n\nd O")
    items = await read(file)
    assert texts(items) == ["c", "d"]
    assert [(item.line, item.raw) for item in items if isinstance(item, BadLine)] == [
        (2, b"lonely"),
        (7, b"\xff O"),
    ]


async def test_rows_without_an_end_are_not_kept_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_bytes(b"a O\n" * 25_000 + b"\nb O\n")
    items = await read(file)
    assert [type(item) for item in items] == [BadLine, FeedItem]


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (b'{"platform": "x", "id": "1", "text": "t"}', "post"),
        (b'{"id": "1", "tokens": []}', "tokens"),
        (b"IMGID:1", "conll"),
        (b"word\tB-PER", "conll"),
        (b"-DOCSTART- -X- O O", "conll"),
        (b"a sentence of words", None),
        (b"{broken", None),
    ],
)
def test_a_line_tells_its_form(raw: bytes, form: Format | None) -> None:
    assert recognise(Line(1, raw)) == form


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"x", b"\r\n")), st.integers(1, 7))
def test_lines_do_not_depend_on_where_the_chunks_end(raw: bytes, size: int) -> None:
    splitter = _Splitter(max_bytes=1000)
    found = [
        piece for at in range(0, len(raw), size) for piece in splitter.feed(raw[at : at + size])
    ] + splitter.finish()
    assert [piece.raw for piece in found] == raw.splitlines()
    assert [piece.number for piece in found] == list(range(1, len(found) + 1))


async def test_a_pipe_gives_its_lines_before_it_is_closed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen = threading.Event()

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(line(1) + b"\n")
            assert seen.wait(20)
            file.write(line(2) + b"\n")

    writer = threading.Thread(target=write)
    writer.start()
    found = []
    async with asyncio.timeout(20), aclosing(read_lines(str(pipe))) as lines:
        async for piece in lines:
            found.append(piece.raw)
            seen.set()
    writer.join()
    assert found == [line(1), line(2)]


READ_ONE = """
import asyncio
from contextlib import aclosing
from streamproc.feeds.file import FileConfig, FileFeed

async def main():
    async with aclosing(FileFeed(FileConfig(path="-")).posts()) as items:
        async for item in items:
            print(item.message.text, flush=True)
            return

asyncio.run(main())
"""


def test_standard_input_is_read_and_a_silent_one_does_not_hold_the_program() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", READ_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line(1) + b"\n")
    process.stdin.flush()
    # The pipe stays open and silent: the program has to end all the same.
    assert process.wait(timeout=60) == 0
    assert process.stdout.read() == b"post 1\n"
    process.stdin.close()
    process.stdout.close()
