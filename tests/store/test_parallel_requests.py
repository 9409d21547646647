from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

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


def test_a_thread_keeps_those_that_ask_for_it() -> None:
    def asked_by() -> set[int]:
        both = threading.Barrier(16, timeout=120)
        return set(at_once(lambda _: (both.wait(), threading.get_ident())[1], range(16)))

    first = asked_by()
    assert len(first) == 16
    assert asked_by() == first
    with ThreadPoolExecutor(1) as other:
        assert other.submit(asked_by).result().isdisjoint(first)


def test_a_request_may_ask_several_itself() -> None:
    both = threading.Barrier(64, timeout=120)
    sums = at_once(lambda n: sum(at_once(lambda m: both.wait() >= 0 and m, range(n, n + 4))), range(16))
    assert sums == [4 * n + 6 for n in range(16)]


def test_nothing_goes_on_after_an_error() -> None:
    running: list[int] = []

    def ask(n: int) -> None:
        if n == 0:
            raise ValueError(str(n))
        running.append(n)
        time.sleep(0.05)
        running.remove(n)

    with pytest.raises(ValueError, match="0"):
        at_once(ask, range(64))
    assert running == []


def test_a_fork_asks_by_threads_of_its_own() -> None:
    code = """
import os
from alchemiscale_lake.store.parallel_requests import at_once
assert at_once(abs, [-1, 2]) == [1, 2]
pid = os.fork()
if pid == 0:
    os._exit(0 if at_once(abs, [-3, 4]) == [3, 4] else 1)
assert os.waitpid(pid, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)
