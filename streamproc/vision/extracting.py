"""Looking at all pictures of a folder, once, for training.

```
OUT/pictures.jsonl        one line a picture: its path, and what each extractor gave
OUT/grid/DIGEST.npz       arrays, named as in `streamproc.vision.wire`; the line says which file
```

A picture whose line holds values of the same versions is not looked at again, so a run that was
stopped goes on where it was. While it runs, lines are added at the end, and of several for one
picture the last one counts; when it ends, the file has one a picture, in order.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import orjson

from streamproc.errors import InputError
from streamproc.vision.api import Extractor, Outcome
from streamproc.vision.failures import Failure
from streamproc.vision.one_picture import PictureLooker
from streamproc.vision.visuals import Regions
from streamproc.vision.wire import to_tensors

logger = logging.getLogger(__name__)

INDEX: Final = "pictures.jsonl"
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp"})


@dataclass(slots=True)
class Extracting:
    """Totals of a run: pictures that were there already, were looked at, or gave a failure."""

    pictures: int = 0
    done_before: int = 0
    looked_at: int = 0
    failed: int = 0


def find_pictures(folder: Path) -> list[str]:
    """Paths of the pictures below a folder, relative to it, in order.

    Raises:
        InputError: there is none.
    """
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and _is_text(path)
    )
    if not found:
        raise InputError(
            f"{folder}: no pictures below it, expected files named {', '.join(sorted(SUFFIXES))}"
        )
    return found


class FolderExtractor:
    """Looks at the pictures of a folder.

    Args:
        looker: whose fetcher reads `file:` pictures below `data`.
        extractors: who looks.
        data: the folder with the pictures.
        out: where values go.
        at_once: how many pictures are in hand at a time.
    """

    def __init__(
        self, looker: PictureLooker, extractors: Sequence[Extractor], data: Path, out: Path, *, at_once: int
    ) -> None:
        self.totals = Extracting()
        self._looker = looker
        self._extractors = {extractor.name: extractor for extractor in extractors}
        self._data = data
        self._out = out
        self._at_once = at_once

    async def run(self, pictures: Sequence[str], advance: Callable[[], None]) -> None:
        """Look at these pictures; `advance` is called as each one ends.

        Raises:
            ExtractorUnavailable: an extractor cannot be asked at all.
            InputError: another run writes to the same folder.
            OSError: the output cannot be written.
        """
        versions = {name: await extractor.version() for name, extractor in self._extractors.items()}
        self._out.mkdir(parents=True, exist_ok=True)
        path = self._out / INDEX
        with path.open("ab") as index:
            _lock(index.fileno(), self._out)
            lines = read_index(path)
            self.totals.pictures = len(pictures)
            todo = []
            for picture in pictures:
                if _is_done(lines.get(picture), versions, self._out):
                    self.totals.done_before += 1
                    advance()
                else:
                    todo.append(picture)
            index.write(_mended_end(path))
            async for line in self._look_at_all(todo, versions):
                picture = line["picture"]
                # What other extractors saw in the same bytes is still so.
                before = lines.get(picture, {})
                lines[picture] = {**before, **line} if before.get("digest") == line["digest"] else line
                index.write(orjson.dumps(lines[picture]) + b"\n")
                index.flush()
                advance()
            whole = b"".join(orjson.dumps(lines[picture]) + b"\n" for picture in sorted(lines))
            _write_whole(path, whole)

    async def _look_at_all(
        self, pictures: Sequence[str], versions: Mapping[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        """Lines of the index, as pictures end."""
        waiting = iter(pictures)
        running: set[asyncio.Task[dict[str, Any]]] = set()
        try:
            while True:
                while len(running) < self._at_once and (picture := next(waiting, None)) is not None:
                    running.add(asyncio.create_task(self._look_at(picture, versions)))
                if not running:
                    return
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    yield task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _look_at(self, picture: str, versions: Mapping[str, str]) -> dict[str, Any]:
        digest: str | None
        looked = await self._looker.look(f"file:{quote(picture)}", self._extractors, show=False)
        try:
            digest = await asyncio.to_thread(_digest_of, self._data / picture)
        except OSError:
            digest = None  # it failed for the looker too, which says why
        values = {
            name: {"version": versions[name], **await asyncio.to_thread(self._keep, name, digest, outcome)}
            for name, outcome in looked.outcomes.items()
        }
        if any("failure" in value for value in values.values()):
            self.totals.failed += 1
        else:
            self.totals.looked_at += 1
        return {"picture": picture, "digest": digest, **values}

    def _keep(self, name: str, digest: str | None, outcome: Outcome) -> dict[str, Any]:
        """What stands in the line for a value; its arrays go into a file of their own."""
        if isinstance(outcome, Failure):
            return {"failure": outcome.reason}
        if not isinstance(outcome, np.ndarray | Regions):
            return {"value": outcome}
        file = f"{name}/{digest}.npz"
        arrays: dict[str, Any] = to_tensors(self._extractors[name].modality, outcome)
        archive = BytesIO()
        np.savez(archive, **arrays)
        _write_whole(self._out / file, archive.getvalue())
        return {"file": file}


def read_index(path: Path) -> dict[str, dict[str, Any]]:
    """The lines of an index, by picture; what a killed run left of its last line is passed over."""
    lines: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return lines
    data = path.read_bytes()
    for line in data.splitlines():
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("picture"), str):
            lines[entry["picture"]] = entry
    return lines


def _is_text(path: Path) -> bool:
    """Whether a name can stand in a line of the index."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        logger.warning("%r is left out: its name is not UTF-8", path)
        return False
    return True


def _lock(file: int, out: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{out}: another run writes there: wait for it, or name another folder") from None


def _mended_end(path: Path) -> bytes:
    """What a file needs so that a new line can begin: a killed run may have left half of one."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"


def _is_done(line: Mapping[str, Any] | None, versions: Mapping[str, str], out: Path) -> bool:
    """Whether a line holds a value of each of these versions, and its files are there."""
    if line is None:
        return False
    for name, version in versions.items():
        value = line.get(name)
        if not isinstance(value, dict) or value.get("version") != version or "failure" in value:
            return False
        if "file" in value and not (out / str(value["file"])).is_file():
            return False
    return True


def _write_whole(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all; pictures of the same bytes share one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    draft.write_bytes(data)
    draft.replace(path)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
