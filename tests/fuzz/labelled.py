"""Files of posts: columns and JSON Lines, for training and for `tag` and `ingest`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from streamproc.errors import InputError, PostError
from streamproc.feeds.api import BadLine, FeedItem, Item
from streamproc.feeds.file import FileConfig, FileFeed
from streamproc_mner.data.posts import posts_of
from streamproc_mner.data.records import read_records
from tests.fuzz.inputs import TEXTS, VALUES, as_json, damaged, objects
from tests.fuzz.target import Check, Target, is_one_line

_COLUMNS: Final = [
    b"IMGID:12\nKevin\tB-PER\nDurant\tI-PER\nin\tO\nParis\tB-LOC\n\nIMGID:13\nhi\tO\n\n",
    b"-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n# id 2\n@ada O\n#NBA B-ORG\r\n",
    "🤷\u200d♀️ O\n\u00a0 O\nhttp://t.co/x O\n".encode(),
]
_LINES: Final = [
    b'{"id": 1, "tokens": ["Ada", "in", "Rome"], "tags": ["B-PER", "O", "B-LOC"], "captions": ["a cat"]}\n'
    b'{"id": "2", "tokens": ["@x"], "tags": ["O"], "objects": ["dog"], "ocr": "SALE", "image": "a.jpg"}\n',
    b'{"platform": "x", "id": "1", "text": "hi"}\n{"platform": "x", "id": "1", "op": "delete"}\n',
]
_TAGS: Final = (
    st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-", "S-ORG", "PER", "X", "B-PER-B"]) | TEXTS
)
_ROWS: Final = st.lists(
    st.builds(
        lambda token, gap, tag: token + gap + tag, TEXTS, st.sampled_from([" ", "\t", "  ", ""]), _TAGS
    )
    | st.sampled_from(["", "IMGID:1", "-DOCSTART-", "# x", "\t"]),
    max_size=8,
).map(lambda rows: "\n".join(rows).encode("utf-8", "surrogatepass"))
_OBJECTS: Final = st.lists(
    as_json(
        objects(
            {
                "id": TEXTS,
                "tokens": st.lists(TEXTS, max_size=3),
                "tags": st.lists(_TAGS, max_size=3),
                "captions": st.lists(TEXTS, max_size=2),
                "objects": st.lists(TEXTS, max_size=2),
                "ocr": st.lists(TEXTS, max_size=2),
                "alt": TEXTS,
                "image": TEXTS,
                "text": TEXTS,
                "platform": TEXTS,
            }
        )
    ),
    max_size=3,
).map(b"\n".join)
_FILES: Final = (
    damaged(_COLUMNS) | damaged(_LINES) | _ROWS | _OBJECTS | as_json(VALUES) | st.binary(max_size=60)
)


_FORMS: Final = ("auto", "post", "tokens", "conll")


@contextmanager
def _training(folder: Path) -> Iterator[Check]:
    def check(given: Any) -> None:
        data, number, repair = given
        path = folder / ("data.jsonl" if number % 2 else "data.conll")
        path.write_bytes(data)
        try:
            posts = posts_of(read_records(path, repair=repair))
        except InputError as error:
            is_one_line(str(error))
            return
        assert posts

    yield check


@contextmanager
def _feeding(folder: Path) -> Iterator[Check]:
    path = folder / "posts.jsonl"

    async def read(form: Any) -> list[Item]:
        feed = FileFeed(FileConfig(path=str(path), format=form, max_line_bytes=4000))
        return [item async for item in feed.posts()]

    with asyncio.Runner() as runner:

        def check(given: Any) -> None:
            data, number = given
            path.write_bytes(data)
            try:
                items = runner.run(read(_FORMS[number % len(_FORMS)]))
            except InputError as error:
                is_one_line(str(error))
                return
            for item in items:
                assert isinstance(item, FeedItem | BadLine)
                if isinstance(item, BadLine):
                    assert isinstance(item.error, PostError)
                    is_one_line(str(item.error))

        yield check


TARGETS: Final = (
    Target(
        "labelled", st.tuples(_FILES, st.integers(0, 1), st.booleans()), _training, relatives=20, cost=4
    ),
    Target(
        "feed",
        st.tuples(_FILES | _FILES.map(lambda data: b"\x1f\x8b" + data), st.integers(0, 3)),
        _feeding,
        relatives=20,
        cost=8,
    ),
)
