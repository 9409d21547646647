from __future__ import annotations

import threading

import pytest

from alchemiscale_lake.store.parallel_requests import at_once


def test_answers_come_in_the_order_of_the_questions() -> None:
    assert at_once(lambda n: n * n, range(100)) == [n * n for n in range(100)]
    assert at_once(lambda n: n, []) == []


def test_several_are_asked_at_a_time() -> None:
    both = threading.Barrier(2, timeout=120)
    at_once(lambda _: both.wait(), [1, 2])


def test_what_one_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="3"):
        at_once(lambda n: (_ for _ in ()).throw(ValueError(str(n))) if n == 3 else n, range(9))
