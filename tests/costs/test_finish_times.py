from __future__ import annotations

import heapq
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.costs.finish_times import Crew, finish

durations = st.lists(st.floats(0.01, 10.0), min_size=0, max_size=12)


def crew(slots: int, hours: list[float], busy: list[float] = [], worlds: int = 1) -> Crew:  # noqa: B006
    tiled = [np.tile(each, (worlds, 1)).reshape(worlds, -1) for each in (hours, busy)]
    return Crew(slots, *tiled, np.ones((len(hours), 1)))


@given(durations, durations, st.integers(1, 4))
def test_one_pool_is_a_queue_with_so_many_counters(hours: list[float], busy: list[float], slots: int) -> None:
    free = busy + [0.0] * (slots - len(busy))
    heapq.heapify(free)
    last = max(busy, default=0.0)
    for each in hours:
        ends = heapq.heappop(free) + each
        heapq.heappush(free, ends)
        last = max(last, ends)

    done = finish({"a": crew(slots, hours, busy)})

    assert done.wall_h == pytest.approx([last])
    assert done.used["a"][:, 0] == pytest.approx([sum(hours)])


@given(durations, st.integers(1, 3), st.integers(1, 3))
def test_pools_together_are_bounded_by_their_work(hours: list[float], n_a: int, n_b: int) -> None:
    done = finish({"a": crew(n_a, hours), "b": crew(n_b, [2.0 * h for h in hours])})

    work = float(done.used["a"][0, 0] + done.used["b"][0, 0])
    assert done.wall_h[0] >= work / (n_a + n_b) - 1e-9
    # nobody is idle while something waits
    assert done.wall_h[0] <= work / (n_a + n_b) + 2.0 * max(hours, default=0.0) + 1e-9


def test_a_pool_gets_what_only_it_takes() -> None:
    done = finish({"a": crew(1, [1.0, np.inf, 1.0]), "b": crew(1, [5.0, 4.0, 5.0])})
    assert done.wall_h == pytest.approx([4.0])
    assert {name: float(used[0, 0]) for name, used in done.used.items()} == {"a": 2.0, "b": 4.0}


def test_tasks_without_a_worker_never_finish() -> None:
    assert np.isinf(finish({"a": crew(3, [1.0, np.inf])}).wall_h).all()
    assert np.isinf(finish({"a": crew(0, [1.0])}).wall_h).all()
    assert finish({"a": crew(0, [])}).wall_h == pytest.approx([0.0])


def test_worlds_are_independent() -> None:
    hours = np.random.default_rng(1).lognormal(size=(7, 40))
    rates = np.ones((40, 1))
    together = finish({"a": Crew(3, hours, np.zeros((7, 0)), rates)}).wall_h
    alone = [finish({"a": Crew(3, world[None, :], np.zeros((1, 0)), rates)}).wall_h[0] for world in hours]
    assert together == pytest.approx(alone)


def test_ten_thousand_tasks_on_a_hundred_workers_take_a_moment() -> None:
    hours = np.random.default_rng(1).lognormal(size=(100, 10_000))
    began = time.perf_counter()
    finish({"a": Crew(100, hours, np.zeros((100, 0)), np.ones((10_000, 2)))})
    assert time.perf_counter() - began < 10.0


def test_each_task_uses_up_what_it_does_where_it_runs() -> None:
    hours = np.ones((1, 3))
    rates = np.array([[1.0, 2.0], [1.0, 2.0], [0.5, 0.0]])
    done = finish({"a": Crew(1, hours, np.zeros((1, 0)), rates)})
    assert done.used["a"].tolist() == [[2.5, 4.0]]
