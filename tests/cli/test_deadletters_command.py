"""`streamproc deadletters list` and `show` on real Kafka."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from streamproc.deadletters import DeadLetter
from streamproc.errors import MalformedPost
from streamproc.producing import Outgoing
from tests.deadletters.office import Ended, Office, body, letter
from tests.services.kafka import Kafka

HOURS = 3600.0
NOW = 1_772_366_400.0  # 2026-03-01T12:00Z


@pytest.fixture
def office(kafka: Kafka) -> Office:
    return Office(kafka)


@pytest.fixture(scope="module")
def empty_office(kafka: Kafka) -> Office:
    return Office(kafka)


@pytest.fixture(scope="module")
def mixed_office(kafka: Kafka) -> Office:
    office = Office(kafka)
    office.bury(*mixed())
    return office


def mixed() -> list[DeadLetter]:
    """Twelve letters of two errors, two plugins and three counts of attempts, an hour apart."""
    return [
        letter(
            n,
            error=MalformedPost(f"bad {n}") if n % 3 == 0 else letter(n).error,
            stage="decode" if n % 3 == 0 else "fuse",
            plugin=None if n % 3 == 0 else ("picky", "fussy")[n % 2],
            attempts=1 + n % 5,
            failed_at=NOW - (11 - n) * HOURS,
        )
        for n in range(12)
    ]


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        ((), lambda x: True),
        (("--error", "MalformedPost"), lambda x: isinstance(x.error, MalformedPost)),
        (("--stage", "fuse"), lambda x: x.stage == "fuse"),
        (("--plugin", "fussy", "--stage", "fuse"), lambda x: x.plugin == "fussy"),
        (("--key", "test:7"), lambda x: x.key == b"test:7"),
        (("--since", "2026-03-01T09:00"), lambda x: x.failed_at >= NOW - 3 * HOURS),
        (("--until", "2026-03-01T10:00+01:00"), lambda x: x.failed_at < NOW - 3 * HOURS),
        (("--state", "parked"), lambda x: x.attempts > 3),
        (("--state", "waiting", "--set", "deadletters.max_attempts=1"), lambda x: x.attempts == 1),
        (("--state", "replayed"), lambda x: False),
        (("--since", "1h"), lambda x: False),
    ],
)  # fmt: skip
def test_the_filters_choose_and_the_newest_come_last(
    mixed_office: Office, arguments: tuple[str, ...], taken: Callable[[DeadLetter], bool]
) -> None:
    expected = [x for x in sorted(mixed(), key=lambda x: x.failed_at) if taken(x)]
    shown = mixed_office.run("list", "--json", *arguments).json
    assert [row["key"].encode() for row in shown["letters"]] == [x.key for x in expected]
    assert shown["found"] == sum(count["letters"] for count in shown["counts"]) == len(expected)


def test_the_table_shows_the_newest_and_counts_all(mixed_office: Office) -> None:
    ended = mixed_office.run("list", "--limit", "2")
    *table, last = ended.out.splitlines()
    assert [line.split()[-2:] for line in table[1:]] == [["with", "10"], ["with", "11"]]
    assert "2026-03-01 12:00:00" in table[-1]
    assert last == (
        "12 letters, the last 2 shown (--limit shows more): MalformedPost: 2 parked, 2 waiting; "
        "PluginFailed: 2 parked, 6 waiting"
    )
    assert ended.code == 0


def test_no_letters_is_said(office: Office) -> None:
    assert office.run("list") == Ended(0, "no letters\n", "")
    assert office.run("replay") == Ended(0, "0 replayed\n", "")


def test_a_filter_that_no_letter_passes_says_which_errors_there_are(office: Office) -> None:
    office.bury(letter(1, error=MalformedPost("no")), letter(2))
    there = "letters there are: MalformedPost: 1 waiting; PluginFailed: 1 waiting\n"
    assert office.run("list", "--error", "PluginFaild") == Ended(0, f"no letters\n{there}", "")
    assert office.run("replay", "--error", "PluginFaild") == Ended(0, f"0 replayed\n{there}", "")
    assert office.run("replay", "--error", "PluginFaild", "--dry-run") == Ended(
        0, f"0 to replay; nothing was sent: a dry run\n{there}", ""
    )
    assert office.run("replay", "--error", "PluginFaild", "--json").json["replayed"] == 0


def test_an_error_without_letters_of_a_state_says_which_states_its_letters_have(office: Office) -> None:
    office.bury(letter(1, error=MalformedPost("no")), letter(2), letter(3), letter(4, attempts=9))
    office.run("replay", "--error", "PluginFailed")
    there = "letters there are: PluginFailed: 1 parked, 2 replayed\n"
    asked = ("--error", "PluginFailed")
    assert office.run("list", *asked, "--state", "waiting").out == f"no letters\n{there}"
    assert office.run("replay", *asked, "--key", "test:2").out == f"0 replayed\n{there}"
    assert office.run("list", "--state", "deleted").out == (
        "no letters\nletters there are: MalformedPost: 1 waiting; PluginFailed: 1 parked, 2 replayed\n"
    )


def test_no_control_character_of_a_stranger_reaches_the_terminal(office: Office) -> None:
    nasty = "\x1b[31mred\x9b2J\u202eevil\r\n\x07"
    office.bury(
        letter(1, key=nasty.encode(), error=MalformedPost(nasty), headers=[("h\x1b[2J", nasty.encode())],
               body=json.dumps({"text": nasty}, ensure_ascii=False).encode()),
        letter(2, partition=1, body=b"\xff\x1b[2J\x00", key=b"\xc3\x28", headers=[("latin", b"caf\xe9")]),
    )  # fmt: skip
    first, second = office.place(nasty), office.place("\\xc3(")
    for ended in (office.run("list"), office.run("show", first), office.run("show", second)):
        assert not {"\x1b", "\x9b", "\u202e", "\r", "\x07", "\x00"} & set(ended.out)
    assert "\\x1b[31mred\\x9b2J\\u202eevil" in office.run("list").out
    assert "latin = caf\\xe9" in office.run("show", second).out
    shown = office.run("show", second, "--json").json
    assert base64.b64decode(shown["body_base64"]) == b"\xff\x1b[2J\x00"


def test_show_tells_everything_of_a_letter(office: Office) -> None:
    post = body(5, author={"id": "a", "handle": "zoë"})
    office.bury(
        letter(5, partition=1, offset=88, body=post, attempts=2, headers=[("trace", b"abc")], failed_at=NOW)
    )
    place = office.place(5)
    *fields, last_line = office.run("show", place).out.split("\n{", 1)
    assert dict(
        line.split(None, 1) for line in fields[0].replace(" at", "-at").replace(" r", "-r").splitlines()
    ) == {
        "letter": f"{place} of {office.dead}, waiting",
        "failed": "2026-03-01 12:00:00 UTC, stage fuse",
        "attempts": "2",
        "error": "PluginFailed: no luck with 5",
        "plugin": "picky",
        "key": "test:5",
        "read-at": f"1:88 of {office.posts}",
        "first-read": "1:88",
        "header": "trace = abc",
        "body": f"{len(post)} bytes",
    }
    assert json.loads("{" + last_line) == json.loads(post)
    assert '    "handle": "zoë"' in last_line, "indented, and letters are letters"
    shown = office.run("show", place, "--json").json
    assert (json.loads(shown["body"]), shown["revision"]) == (json.loads(post), "1:88")
    assert ["trace", "abc"] in shown["headers"]


def test_show_says_where_the_body_of_a_letter_is_that_was_too_large(kafka: Kafka) -> None:
    office = Office(kafka, dead_bytes=2_000)
    office.bury(letter(1, partition=1, offset=9, body=b"x" * 5_000))
    told = office.run("show", office.place(1)).out
    assert "5000 bytes, too large for a letter" in told
    assert f"1:9 of {office.posts}" in told
    assert office.run("show", office.place(1), "--json").json["left_behind"]["bytes"] == 5_000


@pytest.mark.parametrize("deep", [b"[" * 50_000, b"9" * 6_000, b"null", b'"\\ud800"'])
def test_show_survives_every_body(office: Office, deep: bytes) -> None:
    office.bury(letter(1, body=deep))
    ended = office.run("show", office.place(1))
    assert ended.code == 0
    assert ended.out.splitlines()[-1] in {deep.decode(), '"\\ud800"'}


def test_a_letter_without_key_and_a_record_that_is_no_letter_are_listed(office: Office) -> None:
    office.bury(letter(1, key=None, body=None))
    office.send_all([Outgoing(office.dead, b"test:2", b"by hand")])
    assert {(row["key"], row["error"], row["state"]) for row in office.letters()} == {
        (None, "PluginFailed", "waiting"),
        ("test:2", None, "waiting"),
    }
    assert office.run("list").out.splitlines()[-1] == "2 letters: -: 1 waiting; PluginFailed: 1 waiting"


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("show", "0:0"), 2, "no letter at 0:0: partition 0 of {dead} is empty"),
        (("show", "9:0"), 2, "no letter at 9:0: {dead} has partitions 0 to 1"),
        (("show", "0-0"), 2, "expected PARTITION:OFFSET, such as 0:12"),
        (("replay", "1:5"), 2, "no letter at 1:5: partition 1 of {dead} is empty"),
        (("replay", "1:5", "--parked"), 2, "not both"),
        (("replay", "1:5", "--key", "x"), 2, "not both"),
        (("replay", "--rate", "nan"), 2, "expected posts per second"),
        (("replay", "--rate", "0"), 2, "expected posts per second"),
        (("list", "--since", "soon"), 2, "'soon' is no time"),
        (("list", "--stage", "fusion"), 2, "'fusion' is not one of"),
        (("list", "--set", "deadletters.max_attempts=0"), 2, "deadletters.max_attempts"),
        (("list", "--set", "topics.deadletters=nowhere"), 1, "no topic nowhere: run `"),
        (("replay", "--set", "topics.posts=nowhere"), 1, "no topic nowhere: run `"),
        (("list", "--broker", "127.0.0.1:1", "--set", "kafka.start_timeout_s=0"), 1, "no Kafka at 127"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_told_in_one_line(
    empty_office: Office, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    ended = empty_office.run(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert complaint.format(dead=empty_office.dead) in ended.err.splitlines()[-1]
