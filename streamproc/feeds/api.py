"""What a feed is.

A feed is a class that derives from `Feed` and is named in the entry-point group
`streamproc.feeds`. It gives posts and deletions one after another; what it cannot read it
gives as `BadLine`, so that one broken line never ends the stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from streamproc.errors import MalformedPost, UnsupportedSchemaVersion
from streamproc.posts import Deletion, Post
from streamproc.vision.visuals import Modality, Seen


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One post or deletion, and where it stood.

    Attributes:
        message: what was read.
        line: from 1; the (first) line of the file, or the number of the frame that a live feed got.
        raw: the bytes as they were read, without the line's end.
        visuals: visual context that came with the post, such as given captions; costs no look.
        cursor: where the feed can start again so that nothing after this item is missed.
    """

    message: Post | Deletion
    line: int
    raw: bytes
    visuals: Mapping[Modality, Seen] = field(default_factory=dict)
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class BadLine:
    """Something in the feed that is not a post. `raw` may be cut short where it was too long."""

    line: int
    error: MalformedPost | UnsupportedSchemaVersion
    raw: bytes


Item: TypeAlias = FeedItem | BadLine


class FeedConfig(BaseModel):
    """Base of a feed's options: frozen, and an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=FeedConfig)


class Feed(ABC, Generic[ConfigT]):
    """Gives posts, in the order in which they happened.

    Class attributes:
        name: as in the entry point; what `source.feed` of its posts says.
        Config: pydantic model of its options, derived from `FeedConfig`.
        argument: the option that `streamproc ingest NAME ARGUMENT` fills; none by default.
    """

    name: ClassVar[str]
    Config: ClassVar[type[FeedConfig]] = FeedConfig
    argument: ClassVar[str | None] = None

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @abstractmethod
    def posts(self) -> AsyncGenerator[Item, None]:
        """Read the feed from its start or its cursor; ends when the feed does.

        Written as an async generator. Leaving it early (`aclose`) gives back files and sockets.

        Raises:
            InputError: the feed cannot be read at all, or not any further.
        """

    @classmethod
    def resumable(cls) -> bool:
        """Whether such a feed can start again at a cursor: whether its class has a `resumed` of its own."""
        return cls.resumed is not Feed.resumed

    def resumed(self, cursor: str) -> Feed[ConfigT]:
        """The same feed, starting again at the `cursor` of an item that was delivered.

        At least once: some of what came before may be given again, nothing after it is left out.
        A feed whose items carry no cursor has nothing to resume and gives itself.
        """
        del cursor
        return self
