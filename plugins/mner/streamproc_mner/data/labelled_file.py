"""A file of posts with gold entities, as everything that measures reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamproc.errors import InputError
from streamproc.vision.extracted import ExtractedPictures
from streamproc.vision.visuals import Modality
from streamproc_mner.data.normaliser import TYPE_NAMES, LabelledPost
from streamproc_mner.data.posts import read_posts
from streamproc_mner.data.records import read_records


class LabelledFile:
    """A file of posts with gold entities, and what was seen in their pictures.

    Args:
        path: of the file.
        pictures: the `--out` of `streamproc extract`.
        repair: let an `I-` tag that continues nothing begin an entity, instead of refusing it.

    Raises:
        InputError: `pictures` is no such folder.
    """

    def __init__(self, path: Path, pictures: Path | None = None, *, repair: bool = False) -> None:
        self.path = path
        self.pictures = pictures
        self.repair = repair
        self._seen = None if pictures is None else ExtractedPictures(pictures)
        self._posts: dict[tuple[tuple[Modality, int], ...], list[LabelledPost]] = {}

    def posts(self, widths: Mapping[Modality, int] | None = None) -> list[LabelledPost]:
        """The posts, with entities of whatever types; always in one order.

        Args:
            widths: of vectors that a model was trained on, where there are several.

        Raises:
            InputError: cannot be read, or has no gold entity.
        """
        key = tuple(sorted((widths or {}).items()))
        if key not in self._posts:
            self._posts[key] = read_posts(self.path, self._types(), self._seen, widths, repair=self.repair)
        return self._posts[key]

    def _types(self) -> list[str]:
        records = read_records(self.path, repair=self.repair)
        types = {tag[2:] for record in records for tag in record.tags if tag != "O"}
        if not types:
            raise InputError(
                f"{self.path}: no gold entity in it: expected tokens with tags such as B-PER; "
                "`streamproc tag` tags posts that have none"
            )
        return sorted({TYPE_NAMES.get(name, name) for name in types})
