"""Replays on real Kafka: what is sent, what is marked, what is left alone."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from streamproc.broker.link import Link
from streamproc.deadletters import DeadLetter
from streamproc.deadletters.box import LetterBox, silent
from streamproc.deadletters.outbox import ReplayReport
from streamproc.deadletters.reading import TopicReader
from streamproc.deadletters.replaying import Replay, Wanted
from streamproc.entities import Revision
from streamproc.errors import BrokerError
from streamproc.producing import BatchProducer, Outgoing
from streamproc.settings import Topics
from tests.deadletters.office import Ended, Office, body, delete, letter
from tests.services.kafka import Kafka


@pytest.fixture
def office(kafka: Kafka) -> Office:
    return Office(kafka)


@pytest.fixture(scope="module")
def mixed_office(kafka: Kafka) -> Office:
    """Four letters in one partition that differ in stage, key and attempts; nothing is sent from here."""
    office = Office(kafka, partitions=1)
    office.bury(
        letter(0, stage="look"),
        letter(1, key=b"test:a b", body=None),
        letter(2, attempts=7),
        letter(3, attempts=5),
    )
    return office


def keys(office: Office) -> list[str]:
    """Numbers of the posts that came to `posts`."""
    return sorted(
        (record.key or b"").decode().removeprefix("test:") for record in office.read(office.posts)
    )


def test_a_replay_sends_key_body_and_headers_as_they_were_and_what_counts(office: Office) -> None:
    office.bury(
        letter(
            1, partition=1, offset=70, revision=Revision(1, 30), attempts=2, headers=[("trace", b"caf\xe9")]
        )
    )
    assert office.run("replay") == Ended(0, "1 replayed\n", "")
    (record,) = office.read(office.posts)
    assert (record.key, record.value, record.partition) == (b"test:1", body(1), 1)
    assert sorted(record.headers) == [
        ("__streamproc.attempts", b"2"), ("__streamproc.revision", b"1:30"), ("trace", b"caf\xe9"),
    ]  # fmt: skip


def test_a_post_goes_to_the_partition_where_it_was_read_whatever_its_key_hashes_to(office: Office) -> None:
    office.bury(*(letter(n, partition=n % 2) for n in range(20)), letter(20, partition=7))
    office.run("replay")
    found = {record.key: record.partition for record in office.read(office.posts)}
    assert {k: p for k, p in found.items() if k != b"test:20"} == {b"test:%d" % n: n % 2 for n in range(20)}
    assert b"test:20" in found, "a partition that is gone: its key finds another one"


def test_what_was_replayed_is_known_to_every_later_command(office: Office) -> None:
    office.bury(*(letter(n) for n in range(30)))
    assert office.run("replay", "--json").json["replayed"] == 30
    assert {x["state"] for x in office.letters()} == {"replayed"}
    assert len(office.letters()) == 30, "a mark is no letter"
    office.bury(letter(5, attempts=2))
    assert office.run("replay").out == "1 replayed\n"
    assert office.run("replay").out == "0 replayed\n"
    assert Counter(keys(office)) == Counter([str(n) for n in range(30)] + ["5"])
    assert office.run("replay", office.place(5)).out == "0 replayed; 1 replayed or dropped before\n"
    assert "replayed" in office.run("show", office.place(5)).out


def test_marks_lie_in_the_partitions_of_their_letters(office: Office) -> None:
    office.bury(*(letter(n, key=None if n == 3 else b"test:%d" % n) for n in range(10)))
    office.run("replay")
    records = office.read(office.dead)
    letters = {f"{r.partition}:{r.offset}": r for r in records if len(r.headers) > 1}
    marks = {dict(r.headers)["__streamproc.replayed"].decode(): r for r in records if len(r.headers) == 1}
    assert set(marks) == set(letters)
    assert all(marks[place].partition == letters[place].partition for place in letters)
    assert all(marks[place].key == letters[place].key for place in letters)
    assert all(not mark.value for mark in marks.values())


def test_filters_and_places_choose_what_is_replayed(office: Office) -> None:
    office.bury(*(letter(n, stage=("fuse", "look")[n % 2]) for n in range(6)))
    assert office.run("replay", "--stage", "look", "--key", "test:3").out == "1 replayed\n"
    assert office.run("replay", office.place(0), office.place(4), office.place(4)).out == "2 replayed\n"
    assert keys(office) == ["0", "3", "4"]


def test_of_letters_of_the_same_reading_one_is_replayed(office: Office) -> None:
    """A worker that is killed before it commits leaves a second letter of what it had read."""
    office.bury(letter(1, offset=4), letter(2, offset=5), letter(1, offset=4), letter(1, offset=4))
    assert [one["state"] for one in office.letters()].count("copy") == 2
    dry = office.run("replay", "--dry-run", "--json").json
    assert dry["replayed"] == 2
    assert office.run("replay", "--json").json["replayed"] == 2
    assert office.run("replay", "--json").json["replayed"] == 0
    assert sorted(one["state"] for one in office.letters()) == ["copy", "copy", "replayed", "replayed"]
    copy = next(one["letter"] for one in office.letters("--state", "copy"))
    assert office.run("replay", copy, "--json").json["replayed"] == 1


def test_a_letter_that_failed_too_often_is_replayed_on_request_only(office: Office) -> None:
    office.bury(*(letter(n, attempts=n) for n in range(1, 7)))
    assert office.run("replay").out == "3 replayed; 3 parked: --parked takes them along\n"
    assert keys(office) == ["1", "2", "3"]
    assert (
        office.run("replay", "--max-attempts", "4").out
        == "1 replayed; 2 parked: --parked takes them along\n"
    )
    assert office.run("replay", office.place(6)).out == "1 replayed\n"
    assert office.run("replay", "--parked").out == "1 replayed\n"
    assert keys(office) == ["1", "2", "3", "4", "5", "6"]


def test_a_dry_run_says_the_same_and_sends_nothing(office: Office) -> None:
    office.send((b"test:1", body(1), 0), (b"test:1", delete(1), 0))
    office.bury(letter(1), letter(2, offset=1), letter(3, offset=1, attempts=9))
    before = len(office.read(office.dead))
    told = office.run("replay", "--dry-run")
    assert told.out == (
        "1 to replay; 1 to drop: deleted since; 1 parked: --parked takes them along; "
        "nothing was sent: a dry run (to see which: `streamproc deadletters list --state waiting`)\n"
    )
    assert (len(office.read(office.dead)), len(office.sent())) == (before, 2)
    real = office.run("replay", "--json").json
    assert (real["replayed"], real["deleted"], real["parked"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["0:1"], {"0:1"}),
        (["0:3", "0:0", "0:3"], {"0:0", "0:3"}),
        (["--error", "PluginFailed", "--key", "test:a b"], {"0:1"}),
        (["--stage", "look"], {"0:0"}),
        (["--parked", "--stage", "fuse"], {"0:1", "0:2", "0:3"}),
        (["--max-attempts", "5"], {"0:0", "0:1", "0:3"}),
    ],
)  # fmt: skip
def test_a_dry_run_names_commands_that_show_the_letters_it_counted(
    mixed_office: Office, arguments: list[str], chosen: set[str]
) -> None:
    told = mixed_office.run("replay", "--dry-run", *arguments).out
    assert int(told.split()[0]) == len(chosen)
    shown = set()
    for command in told.split("`")[1::2]:
        program, group, name, *rest = shlex.split(command)
        assert (program, group) == ("streamproc", "deadletters")
        found = mixed_office.run(name, *rest, "--json").json
        shown |= {letter["letter"] for letter in found.get("letters", [found])}
    assert shown == chosen


# -- letters that cannot be sent ----------------------------------------------------------------


def test_a_body_that_stayed_in_posts_is_replayed_from_there(kafka: Kafka) -> None:
    office = Office(kafka, dead_bytes=3_000)
    large = body(1, text="x" * 5_000)
    office.send_all([Outgoing(office.posts, b"test:1", large, [("trace", b"abc")], partition=1)])
    office.bury(letter(1, partition=1, body=large, headers=[("trace", b"abc")]))
    assert office.run("replay").out == "1 replayed\n"
    again = office.read(office.posts)[1]
    assert (again.key, again.value, again.partition) == (b"test:1", large, 1)
    assert dict(again.headers) == {
        "trace": b"abc", "__streamproc.attempts": b"1", "__streamproc.revision": b"1:0",
    }  # fmt: skip


@pytest.mark.parametrize("there", ["another", "nothing", "no such offset", "no such partition"])
def test_a_body_that_posts_no_longer_has_is_told_and_the_letter_waits_on(kafka: Kafka, there: str) -> None:
    office = Office(kafka, dead_bytes=3_000)
    place = {"partition": 9} if there == "no such partition" else {}
    office.bury(letter(1, body=b"x" * 5_000, **place), letter(2))
    if there != "no such offset":
        office.send((b"test:1", b"y" * 5_000, 0))
    if there == "nothing":
        office.forget(before=1)
    ended = office.run("replay")
    assert (ended.code, ended.out) == (1, "1 replayed; 1 not sent, they wait on\n")
    where = "9:0" if place else "0:0"
    assert ended.err == (
        f"{office.place(1)} its body was too large for a letter and is no longer in "
        f"{office.posts} at {where}\n"
    )
    assert {x["key"]: x["state"] for x in office.letters()} == {"test:1": "waiting", "test:2": "replayed"}


def test_a_post_that_its_topic_no_longer_takes_is_told_and_the_others_go(office: Office) -> None:
    office.bury(letter(1), letter(2, body=b"x" * 1_500_000), letter(3))
    ended = office.run("replay")
    assert (ended.code, ended.out) == (1, "2 replayed; 1 not sent, they wait on\n")
    assert "does not take 1500000 bytes: raise its max.message.bytes" in ended.err
    assert keys(office) == ["1", "3"]
    assert [x["key"] for x in office.letters("--state", "waiting")] == ["test:2"]


def test_a_letter_of_another_topic_is_not_sent_to_this_one(office: Office) -> None:
    office.bury(letter(1, topic="elsewhere"))
    ended = office.run("replay")
    assert (ended.code, office.sent()) == (1, [])
    assert f"was read from elsewhere, not from {office.posts}: --set topics.posts=elsewhere" in ended.err


def test_marks_that_make_no_sense_hide_no_letter(office: Office) -> None:
    office.bury(letter(1, key=None))
    (shown,) = office.letters()
    partition = int(shown["letter"].partition(":")[0])
    office.send_all(
        [
            Outgoing(office.dead, b"k", b"", [("__streamproc.replayed", value)], partition=partition)
            for value in (b"%d:500" % partition, b"%d:0" % (1 - partition), b"\xff", b"0:0 undone")
        ]
    )
    assert [x["state"] for x in office.letters()] == ["waiting"]
    assert office.run("replay").out == "1 replayed\n"


# -- ends before the end ------------------------------------------------------------------------


class Failing(BatchProducer):
    """A producer that is cut off before it sends to one topic."""

    def __init__(self, link: Link, topic: str) -> None:
        super().__init__(link)
        self._cut = topic

    async def send(self, messages: Sequence[Outgoing]) -> None:
        if any(message.topic == self._cut for message in messages):
            raise BrokerError("cut off")
        await super().send(messages)


async def test_a_replay_cut_off_between_delivery_and_mark_sends_again_with_the_same_revision(
    kafka: Kafka,
) -> None:
    office = await asyncio.to_thread(Office, kafka)
    await asyncio.to_thread(office.bury, letter(1, offset=4), letter(2, offset=5))
    topics = Topics(posts=office.posts, deadletters=office.dead)
    report = ReplayReport()
    async with (
        TopicReader(Link(kafka.bootstrap)) as letters,
        TopicReader(Link(kafka.bootstrap)) as posts,
        Failing(Link(kafka.bootstrap), office.dead) as producer,
    ):
        box = await LetterBox.open(letters, office.dead, 3, silent)
        replay = Replay(
            box, posts, topics, producer, report, rate=None, progress=silent, complain=lambda *_: None
        )
        with pytest.raises(BrokerError, match="cut off"):
            await replay.run(Wanted())
    assert report == ReplayReport()
    assert (await asyncio.to_thread(office.run, "list")).out.endswith("2 waiting\n")
    async with (
        TopicReader(Link(kafka.bootstrap)) as letters,
        TopicReader(Link(kafka.bootstrap)) as posts,
        BatchProducer(Link(kafka.bootstrap)) as producer,
    ):
        box = await LetterBox.open(letters, office.dead, 3, silent)
        replay = Replay(
            box, posts, topics, producer, report, rate=None, progress=silent, complain=lambda *_: None
        )
        await replay.run(Wanted())
    assert report.replayed == 2
    revisions = Counter(
        (record.key, dict(record.headers)["__streamproc.revision"])
        for record in await office.read_now(office.posts)
    )
    assert revisions == {(b"test:1", b"0:4"): 2, (b"test:2", b"0:5"): 2}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_replay_that_is_interrupted_stops_between_posts_and_the_next_one_sends_the_rest(
    office: Office, number: signal.Signals
) -> None:
    office.bury(*(letter(n) for n in range(40)))
    process = subprocess.Popen(
        [sys.executable, "-m", "streamproc", "deadletters", "replay", "--rate", "10", "--json",
         *office.flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while len(office.read(office.posts)) < 4:
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"interrupted\n")
    told = json.loads(out)
    assert told["interrupted"]
    assert 4 <= told["replayed"] < 40
    states = Counter(x["state"] for x in office.letters())
    assert states == {"replayed": told["replayed"], "waiting": 40 - told["replayed"]}
    assert len(keys(office)) == told["replayed"], "nothing was sent that is not marked"
    assert office.run("replay").out == f"{40 - told['replayed']} replayed\n"
    assert keys(office) == sorted(str(n) for n in range(40))


def test_many_letters_go_in_batches_in_their_order(office: Office) -> None:
    office.bury(*(letter(n % 7, body=b"%d" % n, revision=Revision(0, n)) for n in range(450)))
    assert office.run("replay").out == "450 replayed\n"
    found = [(r.key, int(r.value)) for r in office.read(office.posts)]
    assert sorted(value for _, value in found) == list(range(450))
    for key in {key for key, _ in found}:
        values = [value for k, value in found if k == key]
        assert values == sorted(values)


def test_a_letter_of_a_post_that_failed_before_and_after_is_sent_each_time(office: Office) -> None:
    first: DeadLetter = letter(1, offset=3)
    office.bury(first, replace(first, offset=9, revision=Revision(0, 9), body=body(1, op="update")))
    assert office.run("replay").out == "2 replayed\n"
    assert [json.loads(value or b"").get("op") for _, value in office.sent()] == [None, "update"]
