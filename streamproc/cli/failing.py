"""What a person or a script is told when a command fails."""

from __future__ import annotations

from typing import Final

from streamproc.errors import InputError, PluginError, SettingsError, StreamprocError

POST_HINT: Final = "`streamproc schema post` says what a post looks like"
"""Ends what a command with bad lines says."""


def root_of(error: BaseException) -> BaseException:
    """The first error inside the groups that task groups make."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def one_line(error: BaseException) -> str:
    """An error in a line: ours as they are, a stranger's with its type and how to see more."""
    error = root_of(error)
    if isinstance(error, StreamprocError):
        return f"error: {error}"
    return f"error: {type(error).__name__}: {error} (run `streamproc --debug ...` for the traceback)"


def exit_code(error: BaseException) -> int:
    """2 for what the caller can mend in usage or settings, else 1."""
    return 2 if isinstance(root_of(error), SettingsError | InputError | PluginError) else 1
