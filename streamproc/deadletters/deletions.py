"""Which letters are older than the last delete of their post."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from streamproc.deadletters.box import TOLD_EVERY, Progress
from streamproc.deadletters.letter import first_read
from streamproc.deadletters.reading import Span, TopicReader
from streamproc.deadletters.stored import Place, named_post
from streamproc.entities import Revision
from streamproc.ledger import Record


@dataclass(frozen=True, slots=True)
class Sought:
    """A letter for whose post a delete is looked for: the post's key, and where it was first read."""

    letter: Place
    key: str
    revision: Revision


async def find_deleted(
    reader: TopicReader,
    topic: str,
    letters: Sequence[Sought],
    progress: Progress,
    stopped: Callable[[], bool],
) -> set[Place]:
    """The letters whose post was deleted after it was first read.

    `posts` is read from the first of these letters on, as far as it still goes back, and no further
    than letters are left to look for. Messages of one post lie in one partition.

    Raises:
        BrokerError: the topic cannot be read.
    """
    spans = await reader.spans(topic)
    by_partition: dict[int, list[Sought]] = defaultdict(list)
    for letter in letters:
        if letter.revision.partition in spans:
            by_partition[letter.revision.partition].append(letter)
    deleted: set[Place] = set()
    for partition, sought in sorted(by_partition.items()):
        deleted |= await _find_in_partition(
            reader, topic, partition, spans[partition], sought, progress, stopped
        )
    return deleted


async def _find_in_partition(
    reader: TopicReader,
    topic: str,
    partition: int,
    held: Span,
    sought: list[Sought],
    progress: Progress,
    stopped: Callable[[], bool],
) -> set[Place]:
    left: dict[str, list[Sought]] = defaultdict(list)
    for letter in sought:
        left[letter.key].append(letter)
    deleted: set[Place] = set()
    first = min(letter.revision.offset for letter in sought) + 1
    span = Span(max(first, held.start), held.stop)
    doing = f"looking for deletes in {topic}-{partition}"
    progress(doing, 0, max(0, span.stop - span.start))
    async with aclosing(reader.records(topic, partition, span)) as records:
        async for record in records:
            if not record.offset % TOLD_EVERY:
                progress(doing, record.offset - span.start, span.stop - span.start)
            deleted |= _deleted_by(record, left)
            if not left or stopped():
                break
    return deleted


def _deleted_by(record: Record, left: dict[str, list[Sought]]) -> set[Place]:
    """The letters that a record deletes; they are taken from those that are left."""
    # Most posts are told from deletes without reading them.
    if record.value is None or b"delete" not in record.value:
        return set()
    post = named_post(record.value)
    if post is None or not post.deletes or post.key not in left:
        return set()
    # A delete that failed itself and was replayed is as old as when it was first read.
    read = first_read(dict(record.headers), record.partition, record.offset)
    when = read.offset if read.partition == record.partition else record.offset
    older = [x for x in left[post.key] if x.revision.offset < when]
    remaining = [x for x in left[post.key] if x.revision.offset >= when]
    if remaining:
        left[post.key] = remaining
    else:
        del left[post.key]
    return {letter.letter for letter in older}
