"""Letters older than their post's delete are dropped, on real Kafka."""

from __future__ import annotations

import pytest

from streamproc.entities import Revision
from streamproc.producing import Outgoing
from tests.deadletters.office import Office, body, delete, letter
from tests.services.kafka import Kafka


@pytest.fixture
def office(kafka: Kafka) -> Office:
    return Office(kafka)


def test_a_letter_older_than_its_posts_delete_is_dropped_and_marked(office: Office) -> None:
    office.send((b"test:1", body(1), 0), (b"test:2", body(2), 0), (b"test:1", delete(1), 0))
    office.bury(letter(1, offset=0), letter(2, offset=1))
    assert office.run("replay").out == "1 replayed; 1 dropped: deleted since\n"
    assert [key for key, _ in office.sent()[3:]] == [b"test:2"]
    assert {x["key"]: x["state"] for x in office.letters()} == {"test:1": "deleted", "test:2": "replayed"}
    assert office.run("replay").out == "0 replayed\n"
    assert [x["key"] for x in office.letters("--state", "deleted")] == ["test:1"]


@pytest.mark.parametrize(
    ("history", "revision", "dropped"),
    [
        ([delete(1), body(1)], 1, False),  # it was written again after the delete
        ([body(1), delete(1), body(1)], 0, True),  # the older of two lives
        ([body(1), delete(1), body(1)], 2, False),
        ([body(1), delete(2)], 0, False),  # somebody else's
        ([body(1), body(3, text="delete me")], 0, False),
        ([body(1), body(1), delete(1)], 1, True),
        ([body(1), b'{"schema_version": 9, "platform": "test", "id": "1", "op": "delete"}'], 0, True),
        ([body(1), b"delete {", None, delete(1)], 0, True),
    ],
)  # fmt: skip
def test_only_a_later_delete_of_the_same_post_drops_a_letter(
    office: Office, history: list[bytes | None], revision: int, dropped: bool
) -> None:
    office.send(*((b"k", value, 0) for value in history))
    office.bury(letter(1, offset=revision))
    told = office.run("replay", "--json").json
    assert (told["deleted"], told["replayed"]) == (int(dropped), int(not dropped))


def test_a_replayed_letter_that_failed_again_is_as_old_as_its_first_reading(office: Office) -> None:
    replayed = Outgoing(office.posts, b"k", body(1), [("__streamproc.revision", b"0:0")], partition=0)
    office.send((b"k", body(1), 0), (b"k", delete(1), 0))
    office.send_all([replayed])
    office.bury(letter(1, offset=2, revision=Revision(0, 0), attempts=2))
    assert office.run("replay", "--json").json["deleted"] == 1


def test_a_delete_that_failed_itself_does_not_drop_its_own_letter(office: Office) -> None:
    office.send((b"k", delete(1), 0))
    office.send_all(
        [Outgoing(office.posts, b"k", delete(1), [("__streamproc.revision", b"0:0")], partition=0)]
    )
    office.bury(letter(1, body=delete(1), offset=1, revision=Revision(0, 0), attempts=2))
    assert office.run("replay", "--json").json["replayed"] == 1


def test_a_letter_without_key_is_known_by_its_body_and_one_without_either_is_sent(office: Office) -> None:
    office.send((None, body(1), 0), (b"test:1", delete(1), 0))
    office.bury(letter(1, key=None), letter(2, key=None, body=None))
    assert office.run("replay").out == "1 replayed; 1 dropped: deleted since\n"
    assert office.sent()[2:] == [(None, b"")]


def test_deletes_are_looked_for_as_far_back_as_posts_goes(office: Office) -> None:
    office.send((b"k", body(1), 0), (b"k", body(2), 0), (b"k", delete(1), 0))
    office.forget(before=2)
    office.bury(letter(1, offset=0), letter(2, offset=1))
    assert office.run("replay").out == "1 replayed; 1 dropped: deleted since\n"
