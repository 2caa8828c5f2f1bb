"""Where a feed stood when its posts were last delivered, kept in a small file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from streamproc.errors import InputError


class Checkpoint:
    """A state file: the feed's name and the cursor of the last item that was delivered."""

    def __init__(self, path: Path, feed: str) -> None:
        self._path = path
        self._feed = feed

    def load(self) -> str | None:
        """The cursor to resume from; `None` where there is no file yet.

        Raises:
            InputError: the file cannot be read, is no checkpoint, or belongs to another feed.
        """
        try:
            value = json.loads(self._path.read_bytes())
            feed, cursor = value["feed"], value["cursor"]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"cannot read {self._path}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{self._path} is no state file of a feed: name another one, or delete it to start anew"
            ) from None
        if feed != self._feed or not isinstance(cursor, str):
            raise InputError(
                f"{self._path} is the state of feed {feed!r}, not {self._feed!r}: name another"
            )
        return cursor

    def save(self, cursor: str) -> None:
        """Replace the file in one step: a crash leaves the old state or the new one, never half.

        Raises:
            InputError: the file cannot be written.
        """
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"feed": self._feed, "cursor": cursor}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise InputError(f"cannot write {self._path}: {error.strerror}") from None
