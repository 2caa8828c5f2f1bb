"""Parts of a batch on the cores of a machine."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from streamproc_mner.cores import Cores, shares


def threads() -> int:
    return sum(thread.name.startswith("cores") for thread in threading.enumerate())


def test_each_part_has_its_result_in_order_and_the_threads_end() -> None:
    cores = Cores(3)
    assert cores.each(str, [1]) == ["1"]
    assert threads() == 0
    assert cores.each(str, range(9)) == [str(number) for number in range(9)]
    assert threads() > 0
    cores.close()
    assert threads() == 0
    assert cores.each(str, [1, 2]) == ["1", "2"]
    cores.close()


def test_a_part_that_fails_is_told() -> None:
    cores = Cores(2)
    with pytest.raises(ZeroDivisionError):
        cores.each(lambda number: 1 / number, [1, 0])
    cores.close()


def test_a_process_that_was_forked_has_threads_of_its_own() -> None:
    cores = Cores(2)
    cores.each(str, [1, 2])
    if not (child := os.fork()):
        os._exit(0 if cores.each(str, [1, 2]) == ["1", "2"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    cores.close()


@pytest.mark.parametrize(
    ("lengths", "count", "expected"),
    [
        ([5], 4, [(0, 1)]),
        ([5, 5, 5], 4, [(0, 3)]),
        ([5, 5, 5, 5], 1, [(0, 4)]),
        ([5, 5, 5, 5], 2, [(0, 2), (2, 4)]),
        ([1, 1, 1, 1, 1, 15], 2, [(0, 5), (5, 6)]),
        ([20, 1, 1, 1], 2, [(0, 4)]),
        ([3] * 9, 3, [(0, 3), (3, 6), (6, 9)]),
    ],
)
def test_cores_share_a_batch_by_its_sub_tokens(
    lengths: list[int], count: int, expected: list[tuple[int, int]]
) -> None:
    found = shares(np.array(lengths), count)
    assert [(rows.start, rows.stop) for rows in found] == expected
