"""What the demo knows of each post, gathered from the topics as any consumer would."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

from streamproc.broker.link import Link
from streamproc.deadletters.marks import is_mark
from streamproc.deadletters.stored import StoredLetter
from streamproc.entities import Revision, TaggedPost
from streamproc.errors import PostError
from streamproc.ledger import Record
from streamproc.posts import Post, parse
from streamproc.settings import Topics
from streamproc.vision.api import Looking
from streamproc.vision.visuals import Modality, OcrText, Seen, Visual

KEPT_POSTS: Final = 2_000
NO_WRITING: Final = "no writing"


@dataclass(slots=True)
class Row:
    """One line of the table: a post that ended, and how."""

    key: str
    text: str
    tagged: TaggedPost | None
    seen: str = ""
    dead: str = ""


@dataclass(slots=True)
class Scene:
    """Everything that is shown."""

    topics: Topics
    rows: list[Row] = field(default_factory=list)
    ended: int = 0
    started: float = field(default_factory=monotonic)
    finished: float = 0.0
    bad_lines: list[str] = field(default_factory=list)
    _posts: dict[Revision, Post] = field(default_factory=dict)
    _read: dict[tuple[str, ...], str] = field(default_factory=dict)

    def remember_look(self, urls: Sequence[str], seen: Mapping[Modality, Visual]) -> None:
        """What a look at these pictures gave, for the row of the post that carries them."""
        ocr = seen.get("ocr")
        if isinstance(ocr, Seen):
            lines = [line.text for text in ocr.values if isinstance(text, OcrText) for line in text.lines]
            self._read[tuple(urls)] = " / ".join(lines) or NO_WRITING

    def add(self, record: Record) -> None:
        """One message of any of the three topics."""
        name = (record.key or b"").decode("utf-8", "replace")
        if record.topic == self.topics.posts:
            self._remember_post(Revision(record.partition, record.offset), record.value)
        elif record.topic == self.topics.entities and record.value:
            self._end(self._tagged_row(name, TaggedPost.from_json(record.value)))
        elif record.topic == self.topics.deadletters and not is_mark(record):
            letter = StoredLetter.read(record)
            text = (record.value or b"").decode("utf-8", "replace")
            self._end(Row(name, text[:200], None, dead=f"{letter.error or '?'}: {letter.message or ''}"))

    def rate(self) -> float:
        """Posts a second, from the first post to the last one that ended."""
        seconds = self.finished - self.started
        return self.ended / seconds if self.ended and seconds > 0 else 0.0

    def _remember_post(self, revision: Revision, value: bytes | None) -> None:
        try:
            message = parse(value)
        except PostError:
            return
        if isinstance(message, Post):
            self._posts[revision] = message
            if len(self._posts) > KEPT_POSTS:
                del self._posts[next(iter(self._posts))]

    def _tagged_row(self, key: str, tagged: TaggedPost) -> Row:
        post = self._posts.get(tagged.revision)
        text = post.text if post is not None and tagged.op != "delete" else ""
        used = "ocr" in tagged.visuals and tagged.visuals["ocr"].status == "used"
        seen = self._read.get(post.picture_urls(), "") if post is not None and used else ""
        return Row(key, text, tagged, seen)

    def _end(self, row: Row) -> None:
        self.rows.append(row)
        del self.rows[:-KEPT_POSTS]
        self.ended += 1
        self.finished = monotonic()


class WatchedLooker:
    """Looks as the one that it wraps does, and tells the scene what was seen."""

    def __init__(self, looker: Looking, scene: Scene) -> None:
        self._looker = looker
        self._scene = scene

    def sees(self, widths: Mapping[Modality, int]) -> Collection[Modality]:
        """What the looker that it wraps can look at."""
        return self._looker.sees(widths)

    async def look(
        self,
        urls: Sequence[str],
        modalities: Collection[Modality],
        *,
        widths: Mapping[Modality, int] | None = None,
        show: bool = False,
    ) -> dict[Modality, Visual]:
        """What was seen, or why not, for each modality."""
        seen = await self._looker.look(urls, modalities, widths=widths, show=show)
        self._scene.remember_look(urls, seen)
        return seen


async def open_reader(link: Link, topics: Topics) -> Any:
    """A consumer that stands at the end of the three topics."""
    consumer = AIOKafkaConsumer(
        topics.posts, topics.entities, topics.deadletters,
        auto_offset_reset="latest", **link.arguments(),
    )  # fmt: skip
    await consumer.start()
    await consumer.seek_to_end()
    return consumer


async def read_into(scene: Scene, consumer: Any, seconds: float) -> None:
    """Take what came, for at most so long; posts before what became of them."""
    batches = await consumer.getmany(timeout_ms=int(seconds * 1000))
    for tp in sorted(batches, key=lambda tp: tp.topic != scene.topics.posts):
        for record in batches[tp]:
            scene.add(record)
