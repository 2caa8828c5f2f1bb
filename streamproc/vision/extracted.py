"""Reading what `streamproc extract` wrote: what was seen in a folder's pictures, by picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import orjson

from streamproc.errors import InputError
from streamproc.vision.extracting import INDEX, read_index
from streamproc.vision.names import KNOWN
from streamproc.vision.visuals import Missing, Modality, Seen, Value, Visual
from streamproc.vision.wire import as_bytes, from_tensors


class ExtractedPictures:
    """What was seen in the pictures of a folder; vectors are read from their files when they are wanted.

    Args:
        folder: the `--out` of `streamproc extract`.

    Raises:
        InputError: it is no such folder, or empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._lines = read_index(folder / INDEX)
        except OSError as error:
            raise InputError(f"{folder / INDEX}: cannot be read: {error.strerror}") from error
        if not self._lines:
            raise InputError(f"{folder}: no {INDEX} with pictures in it: expected the --out of `extract`")
        self._by_ending: dict[str, str | None] = {}
        for name in self._lines:
            for ending in _endings(name):
                # Two pictures with one ending: it names neither.
                self._by_ending[ending] = None if ending in self._by_ending else name

    def __len__(self) -> int:
        """Pictures."""
        return len(self._lines)

    def find(self, name: str) -> str | None:
        """The picture of a path below the extracted folder, or of the end of one, such as a bare name.

        The suffix may be left out. `None` where no picture, or more than one, is meant.
        """
        return name if name in self._lines else self._by_ending.get(name)

    def visuals(self, picture: str | None, widths: Mapping[Modality, int]) -> Mapping[Modality, Visual]:
        """What was seen in a picture.

        Args:
            picture: as `find` gives it; `None` for a picture that is not there.
            widths: of the vectors that are wanted, where a modality has several: `global`.
        """
        return _Visuals(self.folder, {} if picture is None else self._lines[picture], widths)


def _endings(name: str) -> Iterator[str]:
    """The ends of a path, with its suffix and without."""
    parts = name.split("/")
    for start in range(len(parts)):
        ending = "/".join(parts[start:])
        yield from dict.fromkeys((ending, str(Path(ending).with_suffix(""))))


class _Visuals(Mapping[Modality, Visual]):
    """The line of one picture."""

    def __init__(self, folder: Path, line: Mapping[str, Any], widths: Mapping[Modality, int]) -> None:
        self._folder = folder
        self._picture = str(line.get("picture", ""))
        self._values: dict[Modality, tuple[str, Mapping[str, Any]]] = {}
        for name, known in KNOWN.items():
            wanted = widths.get(known.modality)
            if isinstance(line.get(name), dict) and wanted in (None, known.width):
                self._values.setdefault(known.modality, (name, line[name]))

    def __getitem__(self, modality: Modality) -> Visual:
        name, entry = self._values[modality]
        if "failure" in entry:
            return Missing("unavailable", str(entry["failure"]))
        return Seen((self._read(modality, name, entry),))

    def __iter__(self) -> Iterator[Modality]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _read(self, modality: Modality, name: str, entry: Mapping[str, Any]) -> Value:
        try:
            if "file" in entry:
                with np.load(self._folder / str(entry["file"]), allow_pickle=False) as archive:
                    tensors = {key: archive[key] for key in archive.files}
            else:
                tensors = {modality: as_bytes(orjson.dumps(entry["value"]))}
            return from_tensors(modality, tensors, width=KNOWN[name].width)
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise InputError(
                f"{self._folder}: {name} of {self._picture} cannot be read: {error}; extract it again"
            ) from error
