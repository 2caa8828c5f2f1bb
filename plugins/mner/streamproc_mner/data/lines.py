"""The lines of a file of labelled posts, and what to say of one that is not what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from streamproc.errors import InputError


class BadLine(NamedTuple):
    """A line that is not what it should be, and why."""

    number: int
    message: str

    def error(self, path: Path) -> InputError:
        """The same as an error that names the file."""
        return InputError(f"{path}:{self.number}: {self.message}")


def read_lines(path: Path) -> list[str]:
    """The lines of a file in UTF-8, without their ends; a byte order mark is passed over.

    Raises:
        InputError: it cannot be read, is not UTF-8, or holds nothing.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x}: save the file as UTF-8"
        raise BadLine(line, message).error(path) from None
    if not text.strip():
        raise InputError(f"{path}: is empty: expected labelled posts")
    # Not splitlines(): tokens may hold what Unicode takes for a line's end.
    return [line.removesuffix("\r") for line in text.split("\n")]
