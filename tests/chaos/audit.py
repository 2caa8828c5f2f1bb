"""The books: every message of `posts` against what came out, by plain counting."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tests.chaos.observer import Observer, Place, Sample, place_of_entities, place_of_letter
from tests.chaos.posts import PLUGIN, Fate, fate


@dataclass(slots=True)
class Books:
    """Counts of `Outcome`, with the first cases of what is not right."""

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    notes: list[str] = field(default_factory=list)

    def complain(self, what: str, case: object) -> None:
        """Count a fault and keep the first ones."""
        self.counts[what] += 1
        if self.counts[what] <= 3:
            self.notes.append(f"{what}: {case}")


def audit(observer: Observer, acknowledged: Sequence[tuple[bytes, bytes]], too_large: bool) -> Books:
    """Go through everything that was read.

    Args:
        observer: has read all.
        acknowledged: keys and values that Kafka took.
        too_large: whether a tagged post may have been too large for its topic.
    """
    books = Books()
    given = {(r.partition, r.offset): r for r in observer.records[observer.posts]}
    tagged, letters = _by_place(observer, observer.entities), _by_place(observer, observer.letters)
    books.counts["posts"] = len(given)
    present = {(record.key, record.value) for record in given.values()}
    for message in acknowledged:
        if message not in present:
            books.complain("lost", f"Kafka took it and has it no more: {message}")
    for place in (tagged.keys() | letters.keys()) - given.keys():
        books.complain("wrong", f"came out of nothing: {place}")
    for place, record in given.items():
        _check_end(books, place, record, tagged.get(place, []), letters.get(place, []), too_large)
    _check_order(books, observer.records[observer.entities])
    _check_late(books, observer.records[observer.entities], observer.samples)
    for before, after in pairwise(observer.samples):
        for number, offset in before.committed.items():
            if after.committed.get(number, 0) < offset:
                books.complain("went_back", f"partition {number}: {offset}, then {after.committed}")
    return books


def _by_place(observer: Observer, topic: str) -> dict[Place, list[Any]]:
    found: dict[Place, list[Any]] = defaultdict(list)
    place_of = place_of_entities if topic == observer.entities else place_of_letter
    for record in observer.records[topic]:
        found[place_of(record)].append(record)
    return found


def _check_end(
    books: Books, place: Place, record: Any, tagged: list[Any], letters: list[Any], too_large: bool
) -> None:
    """One message: where it ended, how often, and with what."""
    told = fate(record.value)
    if told.end == "skip":
        books.counts["skipped"] += 1
        if tagged or letters:
            books.complain("wrong", f"{place} was to be skipped")
        return
    if not tagged and not letters:
        books.complain("lost", f"{place}: {record.value!r}")
        return
    if tagged and letters:
        books.complain("wrong", f"{place} is in both topics")
    books.counts["entities" if tagged else "letters"] += 1
    if tagged:
        found, expected = _tagged_content(tagged[0]), _expected_tagged(place, record, told)
    else:
        found, expected = _letter_content(letters[0]), _expected_letter(record, told.error)
    refused = too_large and letters and found == _expected_letter(record, "OutputTooLarge")
    if found != expected and not refused:
        books.complain("wrong", f"{place}: {found!r} instead of {expected!r}")
    first, *again = (*tagged, *letters)
    for copy in again:
        times = [f"{datetime.fromtimestamp(r.timestamp / 1000, UTC):%X.%f}" for r in (first, copy)]
        books.complain("duplicates", f"{place} at {times[0]} and {times[1]}")
        if _lasting(copy) != _lasting(first):
            books.complain("different", f"{place}: {_lasting(copy)!r}, and before {_lasting(first)!r}")


def _lasting(record: Any) -> tuple[Any, ...]:
    """A message without what tells when it was made."""
    headers = {name: value for name, value in record.headers if not name.endswith(".failed_at")}
    if headers:
        return record.key, record.value, headers
    tagged = json.loads(record.value)
    del tagged["timings"]
    return record.key, tagged


def _tagged_content(record: Any) -> tuple[Any, ...]:
    tagged = json.loads(record.value)
    names = tuple(entity["text"] for entity in tagged["entities"])
    keys = (tagged["post_id"], tagged["op"], tagged["entity_key"], tagged["idempotency_key"])
    return record.key, *keys, names


def _expected_tagged(place: Place, record: Any, told: Fate) -> tuple[Any, ...]:
    given = json.loads(record.value)
    entity_key = f"{given['platform']}:{given['id']}:{PLUGIN}"
    revision = f"{place[0]}-{place[1]}"
    keys = (given["id"], given.get("op", "create"), entity_key, f"{entity_key}:{revision}:1")
    return record.key, *keys, told.names


def _letter_content(record: Any) -> tuple[Any, ...]:
    return record.key, record.value, dict(record.headers)["__streamproc.errors.exception"].decode()


def _expected_letter(record: Any, error: str) -> tuple[Any, ...]:
    return record.key, record.value, error


def _check_order(books: Books, tagged: Sequence[Any]) -> None:
    """Revisions of a key come out in order, but for repetitions; and the last word is the newest."""
    newest: dict[str, Place] = {}
    last: dict[str, Place] = {}
    seen: set[tuple[str, Place]] = set()
    for record in tagged:
        key, place = json.loads(record.value)["entity_key"], place_of_entities(record)
        last[key] = place
        if (key, place) in seen:
            continue
        seen.add((key, place))
        if place < newest.get(key, place):
            books.complain("overtaken", f"{key}: {place} behind {newest[key]}")
        newest[key] = max(place, newest.get(key, place))
    for key, place in last.items():
        if place != newest[key]:
            books.complain("stale", f"{key}: {place} is its last word, {newest[key]} its newest")


def _check_late(books: Books, tagged: Sequence[Any], samples: Sequence[Sample]) -> None:
    """Nothing comes out again that was committed before."""
    ends: dict[int, list[int]] = defaultdict(list)
    for sample in samples:
        for number, end in sample.out.items():
            ends[number].append(end)
    known = [sample for sample in samples if sample.out]
    seen: set[Place] = set()
    for record in tagged:
        place = place_of_entities(record)
        if place in seen:
            # The last look that was over when this record was written.
            index = bisect_right(ends[record.partition], record.offset) - 1
            if index >= 0 and place[1] < known[index].committed.get(place[0], 0):
                books.complain("repeated_late", f"{place} at {record.partition}:{record.offset}")
        seen.add(place)
