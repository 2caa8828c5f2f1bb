"""Which posts have their picture in a folder: of picture files, or of what `streamproc extract` saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streamproc.errors import InputError
from streamproc.vision.extracted import ExtractedPictures
from streamproc.vision.extracting import INDEX, find_pictures, read_index
from streamproc.vision.names import KNOWN
from streamproc_mner.data.records import Record


class PictureFolder:
    """The pictures of a folder, by the names that records give them.

    Args:
        folder: with picture files in it, or the `--out` of `streamproc extract`.

    Raises:
        InputError: it is neither.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder: expected one with pictures, or the --out of streamproc extract"
            )
        self._lines: Mapping[str, Mapping[str, Any]] = read_index(folder / INDEX)
        self._find: Callable[[str], str | None]
        if self._lines:
            self._find = ExtractedPictures(folder).find  # as training finds them
        else:
            names = find_pictures(folder)
            self._find = {**{Path(name).stem: name for name in names}, **{name: name for name in names}}.get

    def find(self, record: Record) -> str | None:
        """The picture of a post: the file that `image` names, else the one that is named as the post."""
        return self._find(record.image or record.id)

    def extractors(self, picture: str) -> Mapping[str, bool]:
        """Who looked at a picture, and whether it failed; nobody where there are only files."""
        line = self._lines.get(picture, {})
        return {name: "failure" in line[name] for name in KNOWN if isinstance(line.get(name), dict)}
