"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
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
    if _is_read(path, source):
        raise SettingsError(f"{flag} {path} is the file that is read: name another one")
    if path.is_file() and _is_standard_output(path):
        raise SettingsError(f"{flag} {path} is where standard output goes: name another one")
    target, draft = path, None
    try:
        if path.exists() and not path.is_file():
            stream: BinaryIO = path.open("wb")
        else:
            target = path.resolve()
            stream, draft = _draft_beside(target)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads back to itself
        reason = error.strerror if isinstance(error, OSError) else "a link that leads back to itself"
        raise SettingsError(f"cannot write {path}: {reason}") from None
    try:
        with stream:
            yield stream
    except BaseException:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise
    if draft is not None:
        draft.replace(target)


def _is_read(path: Path, source: str) -> bool:
    """Whether the path is the file that is read, by its name or as standard input."""
    try:
        there = path.stat()
        read = os.fstat(0) if source == "-" else Path(source).stat()
    except OSError:
        return False
    return stat.S_ISREG(there.st_mode) and os.path.samestat(there, read)


def _is_standard_output(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def _draft_beside(target: Path) -> tuple[BinaryIO, Path]:
    """A new file with the permissions of the one it replaces, or those that a plain open would give."""
    number, name = mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    umask = os.umask(0)
    os.umask(umask)
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~umask
    os.fchmod(number, mode)
    return os.fdopen(number, "wb"), Path(name)
