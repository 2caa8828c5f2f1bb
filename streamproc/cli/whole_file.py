"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from streamproc.errors import SettingsError


@contextmanager
def whole_file(flag: str, path: Path, source: str) -> Iterator[BinaryIO]:
    """A file that takes its place when all of it is written; a device or a pipe is written as it is.

    Args:
        flag: that named it, for the error.
        path: where it goes.
        source: the file that is read, or `-`.

    Raises:
        SettingsError: it cannot be written, or is the file that is read.
    """
    target = path.resolve()
    if source != "-" and target.exists() and Path(source).exists() and target.samefile(source):
        raise SettingsError(f"{flag} {path} is the file that is read: name another one")
    draft: Path | None = None
    try:
        if target.exists() and not target.is_file():
            stream: BinaryIO = target.open("wb")
        else:
            stream, draft = _draft_beside(target)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from None
    try:
        with stream:
            yield stream
    except BaseException:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise
    if draft is not None:
        draft.replace(target)


def _draft_beside(target: Path) -> tuple[BinaryIO, Path]:
    """A new file with the permissions that a plain open would give it."""
    number, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    umask = os.umask(0)
    os.umask(umask)
    os.fchmod(number, 0o666 & ~umask)
    return os.fdopen(number, "wb"), Path(name)
