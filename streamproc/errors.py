"""Every error of streamproc, and its fate.

The fate says what the pipeline does with the post that met the error; the command
line maps `SettingsError` to exit code 2 and every other one to 1.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Fate(StrEnum):
    """What becomes of the work that met an error."""

    RETRY = "retry"
    """Tried again with backoff and jitter, a bounded number of times."""
    DEAD_LETTER = "dead-letter"
    """The post goes to `posts.deadletters` with its reason."""
    DEGRADE = "degrade"
    """The post goes on without what failed, and the output says so."""
    FATAL = "fatal"
    """The process ends non-zero; what was not acknowledged is read again."""


class StreamprocError(Exception):
    """Root of the tree. The message says in one line what was wrong, what was expected, what to do."""

    fate: ClassVar[Fate] = Fate.FATAL

    def __str__(self) -> str:
        # What was wrong may hold line ends of its own: a key, a file's name, another library's message.
        return " ".join(super().__str__().splitlines())


class SettingsError(StreamprocError):
    """The settings, flags or environment cannot be used as given."""


class InputError(StreamprocError):
    """A file or stream that a command was given cannot be read as what it should be."""


class PluginError(StreamprocError):
    """A plugin cannot be found, loaded, or does not keep the contract."""


class BrokerError(StreamprocError):
    """Kafka refused for good or stayed away longer than the retries last."""


class WorkerStuck(StreamprocError):
    """The worker has work and gets nowhere: its supervisor starts another one."""


# -- a post that cannot be tagged -----------------------------------------------------------


class PostError(StreamprocError):
    """One post cannot be tagged; the others are not touched."""

    fate = Fate.DEAD_LETTER


class MalformedPost(PostError):
    """The message is not a post."""


class UnsupportedSchemaVersion(PostError):
    """The message was written by a newer release."""

    def __init__(self, version: int, supported: int) -> None:
        super().__init__(
            f"schema_version {version} is newer than {supported}, which this release reads: "
            "upgrade, then replay"
        )


class TextTooLong(PostError):
    """The text is longer than `limits.text_chars`."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(
            f"text has {length} characters, limits.text_chars is {limit}: "
            "raise it for all workers, then replay"
        )


class PluginFailed(PostError):
    """The plugin raised on this post, alone in its batch, or broke its contract."""


class PicturesUnavailable(PostError):
    """Who looks at pictures is away, and the post's route wants no tags without them."""


class RuleTooSlow(PostError):
    """A route's expression does not come to an end on this text."""


class UnexpectedError(PostError):
    """A fault of streamproc itself: it costs one post, and its letter says what it was."""


class OutputTooLarge(PostError):
    """The tagged post is larger than the `entities` topic takes."""


# -- a picture that cannot be had: never costs the post its text -----------------------------


class PictureError(StreamprocError):
    """A picture cannot be fetched, decoded or looked at. `reason` goes into the output."""

    fate = Fate.DEGRADE
    reason: ClassVar[str] = "picture failed"


class FetchRefused(PictureError):
    """The address is one that streamproc does not connect to."""

    reason = "fetch refused"


class FetchFailed(PictureError):
    """The picture could not be fetched.

    Attributes:
        retry_after_s: for how long the server wants to be left alone, where it said so.
    """

    reason = "fetch failed"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PictureTooLarge(PictureError):
    """More bytes or pixels than the limits allow."""

    reason = "picture too large"


class UndecodablePicture(PictureError):
    """The bytes are not a picture that can be decoded."""

    reason = "cannot be decoded"


class ExtractorUnavailable(PictureError):
    """The extractor failed, is away, or took too long."""

    reason = "extractor unavailable"


class ExtractorAway(ExtractorUnavailable):
    """The extractor cannot be asked now, whatever the picture: another look, later, may see it."""
