"""Labelled posts with what was seen in their pictures: by their records, or by `streamproc extract`."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from streamproc.vision.extracted import ExtractedPictures
from streamproc.vision.visuals import Captions, Modality, Objects, OcrLine, OcrText, Seen, Visual
from streamproc_mner.data.normaliser import Handles, LabelledPost, normalise
from streamproc_mner.data.records import Record, read_records
from streamproc_mner.labels import ENTITY_TYPES

_WHOLE_PICTURE: Final = (0.0, 0.0, 1.0, 1.0)


def read_posts(
    path: Path,
    types: Sequence[str] = ENTITY_TYPES,
    pictures: ExtractedPictures | None = None,
    widths: Mapping[Modality, int] | None = None,
    *,
    repair: bool = False,
) -> list[LabelledPost]:
    """The posts of one file, in the convention of live posts.

    Args:
        path: see `read_records`.
        types: see `posts_of`.
        pictures: see `posts_of`.
        widths: see `posts_of`.
        repair: see `read_records`.

    Raises:
        InputError: cannot be read; names file and line, or the post.
    """
    return posts_of(read_records(path, repair=repair), types, pictures, widths)


def posts_of(
    records: Sequence[Record],
    types: Sequence[str] = ENTITY_TYPES,
    pictures: ExtractedPictures | None = None,
    widths: Mapping[Modality, int] | None = None,
    handles: Handles | None = None,
) -> list[LabelledPost]:
    """Posts in the convention of live posts.

    Args:
        records: of one data set, or of a part of it.
        types: the entity types that are known.
        pictures: what was seen in the posts' pictures. A post's picture is the one that its record
            names (`image`), or the one whose file is named as the post. What the record says itself
            goes above it.
        widths: of vectors, where there are several: `global`.
        handles: how the data set writes `@name`; by default what these records say.

    Raises:
        InputError: a tag whose type is not known; names the post.
    """
    posts = []
    for record, post in zip(records, normalise(records, types, handles), strict=True):
        visuals = visuals_of(record)
        if pictures is not None:
            found = pictures.find(record.image or record.id)
            visuals = ChainMap(dict(visuals), pictures.visuals(found, widths or {}))  # type: ignore[arg-type]
        posts.append(replace(post, visuals=visuals))
    return posts


def visuals_of(record: Record) -> Mapping[Modality, Visual]:
    """What a record says of its picture, as the stream has it."""
    found: dict[Modality, Visual] = {}
    if record.alt:
        found["alt"] = Seen((record.alt,))
    if record.captions:
        texts = tuple(record.captions[name] for name in sorted(record.captions))
        found["captions"] = Seen((Captions(texts, (0.0,) * len(texts)),))
    if record.objects:
        found["objects"] = Seen((Objects(record.objects),))
    if record.ocr is not None:
        lines = tuple(OcrLine(text, 1.0, _WHOLE_PICTURE) for text in record.ocr)
        found["ocr"] = Seen((OcrText(lines),))
    return found
