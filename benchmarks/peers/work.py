"""The work that every peer does for a post: parse and validate it, tag it, make its entities message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.measuring import Measured, Stopwatch
from benchmarks.plugins import NoopModel
from streamproc.entities import PluginInfo, Revision, Timings
from streamproc.fusion.api import FusionInput
from streamproc.output import tagged_post
from streamproc.posts import Post, parse

INFO: Final = PluginInfo("noop", "1")


@dataclass(frozen=True, slots=True)
class Given:
    """What a peer is started with: how many posts there are, and where they are and go."""

    posts: int
    broker: str
    source: str
    target: str

    @classmethod
    def of(cls, arguments: list[str]) -> Given:
        """From the command line, without the program's name."""
        return cls(int(arguments[0]), *arguments[1:4])

    @property
    def group(self) -> str:
        """The consumer group: one for each run."""
        return f"group-{self.target}"


class Work:
    """Makes messages of posts, and times it all from the first post on."""

    def __init__(self, posts: int) -> None:
        self._posts = posts
        self._model = NoopModel()
        self._watch: Stopwatch | None = None

    def message(self, value: bytes | None, partition: int, offset: int) -> bytes:
        """The value for the `entities` topic of a value of the `posts` topic; raises where the tagger does.

        Args:
            value: of the message that was read.
            partition: where it was read.
            offset: where it was read.
        """
        self._watch = self._watch or Stopwatch()
        post = parse(value)
        if not isinstance(post, Post):
            raise TypeError("the benchmark's topics hold no deletions")
        (tagging,) = self._model.tag([FusionInput(post.text, post.lang, {})])
        return tagged_post(post, tagging, INFO, {}, Revision(partition, offset), Timings()).to_json()

    def measured(self) -> Measured:
        """The time from the first post until now, which is after the last one's acknowledgement."""
        if self._watch is None:
            raise RuntimeError("no post was read")
        return self._watch.stop(self._posts)
