"""The parts of the benchmarks that compute: what they tell can be checked without a broker."""

from __future__ import annotations

import sys
from random import Random

import pytest

from benchmarks.latency import quantile
from benchmarks.measuring import Measured
from benchmarks.plugins import NoopModel
from benchmarks.posts import JSON_BYTES, make_posts, renamed
from benchmarks.ratios import Ratio, told
from benchmarks.report import markdown, spread
from benchmarks.scale import Scaled, flatness
from benchmarks.scale import report as scale_report
from benchmarks.stream import versions
from streamproc.fusion.api import FusionInput
from streamproc.posts import Post, parse


def _post(value: bytes) -> Post:
    post = parse(value)
    assert isinstance(post, Post)
    return post


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("count", [1, 2, 99, 100, 101])
def test_a_quantile_is_the_least_value_that_so_large_a_share_does_not_exceed(
    count: int, share: float
) -> None:
    random_ = Random(count)
    values = [random_.random() for _ in range(count)]

    enough = [v for v in values if sum(other <= v for other in values) >= share * count]

    assert quantile(values, share) == min(enough)


def test_posts_are_718_bytes_on_average_and_renamed_ones_keep_their_length_under_ids_of_their_own() -> None:
    made = make_posts(200)
    again = renamed(made, 7)

    assert sum(len(value) for _, value in made) / len(made) == pytest.approx(JSON_BYTES, abs=5)
    assert [len(value) for _, value in again] == [len(value) for _, value in made]
    assert len({key for key, _ in (*made, *again, *renamed(made, 8))}) == 600
    assert [_post(value).key.encode() for _, value in again] == [key for key, _ in again]
    assert [_post(value).text for _, value in again] == [_post(value).text for _, value in made]


def test_the_tagger_raises_on_the_bad_posts_and_on_no_other() -> None:
    raised = []
    for number, (_, value) in enumerate(make_posts(40, bad_every=10)):
        try:
            NoopModel().tag([FusionInput(_post(value).text)])
        except ValueError:
            raised.append(number)

    assert raised == [9, 19, 29, 39]


def test_a_goal_is_judged_by_the_median_of_its_rounds() -> None:
    assert Ratio.at_most("x", 0.2, [0.1, 0.19, 0.9]).met
    assert not Ratio.at_most("x", 0.2, [0.1, 0.21, 0.21]).met
    assert "MISSED" in told(Ratio.at_least("x", 5, [4.9]))
    assert not {"met", "MISSED"} & set(told(Ratio.told_only("x", [4.9])).split())


def test_tables_tell_median_and_spread_of_each_worker_and_what_missed_its_goal() -> None:
    found = {
        "machine": {"cores": "2"},
        "measured": {"ours": [{"posts": 10, "seconds": s, "cpu_seconds": 2e-4} for s in (1.0, 2.0, 5.0)]},
        "ratios": [{"what": "a ÷ b", "goal": "≤ 1", "met": False, "value": 2.0, "rounds": [1.0, 2.0, 3.0]}],
    }

    lines = markdown(found).splitlines()

    assert "| ours | 5 (2–10) | 20.0 (20.0–20.0) |" in lines
    assert "| a ÷ b | 2.000 (1.000–3.000) | ≤ 1 | missed |" in lines
    assert spread([Measured(10, 2.0, 1.0).rate]) == "5 (5–5)"


def test_the_scale_report_compares_only_cases_of_as_many_workers() -> None:
    cases = [Scaled(1, 1, 10, 40.0, 100.0, 50.0, 60.0), Scaled(1, 4, 10, 50.0, 100.0, 50.0, 60.0)]
    alone = Scaled(2, 4, 10, 99.0, 100.0, 50.0, 60.0)

    text = scale_report([*cases, alone])

    assert flatness([c.cpu_us for c in cases]) == 1.25
    assert "1 worker, greatest ÷ least over partitions and backlogs: CPU a post 1.25" in text
    assert "2 workers, greatest ÷ least over partitions and backlogs: CPU a post 1.00" in text


def test_a_peer_that_is_not_installed_has_no_version() -> None:
    found = versions(sys.executable, ["pydantic", "no-such-distribution-of-ours"])

    assert list(found) == ["pydantic"]
