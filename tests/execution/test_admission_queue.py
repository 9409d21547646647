"""Admission: never oversubscribed, no starvation, and overtaking delays nobody."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.execution.admission_queue import AdmissionQueue, Ticket, process_queue
from alchemiscale_lake.execution.capacity import Allocation, Capacity
from alchemiscale_lake.resources import Resources

SHARES = st.sampled_from([0.0, 0.1, 1 / 6, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0, 1.5, 2.0])
MEMORY = st.none() | st.integers(1, 8)
NEEDS = st.builds(Resources, cores=st.integers(1, 4), memory_bytes=MEMORY, gpus=SHARES)
WORKERS = st.builds(Resources, cores=st.integers(1, 8), memory_bytes=MEMORY, gpus=st.sampled_from([0.0, 0.5, 1.0, 2.0]))


def _check(capacity: Resources, allocations: list[Allocation]) -> None:
    """Check that allocations are within the capacity, on every device."""
    assert sum(allocation.resources.cores for allocation in allocations) <= capacity.cores
    if capacity.memory_bytes is not None:
        assert sum(allocation.resources.memory_bytes or 0 for allocation in allocations) <= capacity.memory_bytes
    used: Counter[str] = Counter()
    for allocation in allocations:
        used.update(dict(allocation.parts))
        gpus = allocation.resources.gpus
        assert len(allocation.devices) == math.ceil(gpus)
        assert sum(dict(allocation.parts).values()) == pytest.approx(gpus * 1e6, abs=1)
    assert all(part <= 1_000_000 for part in used.values())
    assert sum(used.values()) <= capacity.gpus * 1e6 + 1


@given(WORKERS, st.lists(NEEDS, min_size=1, max_size=12), st.data())
def test_the_gate_is_never_above_what_there_is(worker: Resources, needs: list[Resources], data: st.DataObject) -> None:
    gate = AdmissionQueue(lambda: None)
    gate.grow(worker)
    tickets: list[Ticket] = []
    for need in needs:
        tickets.append(gate.queue(need))
        allocations = [t.allocation for t in tickets if t.allocation is not None]
        _check(worker, allocations)
        if allocations and data.draw(st.booleans()):
            leaving = data.draw(st.sampled_from([t for t in tickets if t.allocation is not None]))
            leaving.leave()
            tickets.remove(leaving)
            _check(worker, [t.allocation for t in tickets if t.allocation is not None])
    # all are admitted eventually, except those that are too big
    while any(t.allocation for t in tickets):
        leaving = next(t for t in tickets if t.allocation)
        leaving.leave()
        tickets.remove(leaving)
        _check(worker, [t.allocation for t in tickets if t.allocation is not None])
    assert all(gate.too_big(t.needs) for t in tickets)
    assert gate.free == gate.capacity


@given(WORKERS, st.lists(NEEDS, max_size=6), NEEDS, st.lists(NEEDS, max_size=8))
def test_later_attempts_do_not_delay_earlier_ones(
    worker: Resources, before: list[Resources], mine: Resources, later: list[Resources]
) -> None:
    gate = AdmissionQueue(lambda: None)
    gate.grow(worker)
    ahead = [gate.queue(need) for need in before]
    ticket = gate.queue(mine)
    behind = [gate.queue(need) for need in later]
    for other in ahead:
        other.leave()
    assert ticket.allocation is not None or gate.too_big(mine)
    assert len(behind) == len(later)


@given(st.lists(st.tuples(SHARES, st.booleans()), max_size=40))
def test_shares_come_back_whole(steps: list[tuple[float, bool]]) -> None:
    room = Capacity.of_worker(Resources(100, None, 2.0), ["a", "b"])
    allocations: list[Allocation] = []
    for gpus, release in steps:
        allocation = room.take(Resources(1, None, gpus))
        allocations += [allocation] if allocation else []
        if release and allocations:
            room.release(allocations.pop(0))
    for allocation in allocations:
        room.release(allocation)
    assert room.parts == {"a": 1_000_000, "b": 1_000_000}


def test_shares_of_a_gpu_are_packed_on_one_device() -> None:
    room = Capacity.of_worker(Resources(8, None, 2.0), ["GPU-a", "GPU-b"])
    allocations = [room.take(Resources(1, None, gpus)) for gpus in (0.25, 0.5, 0.5, 0.25)]
    assert [allocation.devices for allocation in allocations if allocation] == [
        ("GPU-a",),
        ("GPU-a",),
        ("GPU-b",),
        ("GPU-a",),
    ]
    assert room.take(Resources(1, None, 1.0)) is None
    assert room.take(Resources(1, None, 0.75)) is None


@pytest.mark.parametrize("n", [3, 6, 7, 9, 10])
def test_equal_shares_fill_a_device(n: int) -> None:
    room = Capacity.of_worker(Resources(100, None, 1.0), None)
    allocations = [room.take(Resources(1, None, 1 / n)) for _ in range(n + 1)]
    assert [allocation is not None for allocation in allocations] == [True] * n + [False]


def test_a_later_one_goes_ahead_only_where_it_cannot_delay() -> None:
    gate = AdmissionQueue(lambda: None)
    gate.grow(Resources(5, None, 1.0))
    running = gate.queue(Resources(1, None, 0.5))
    big = gate.queue(Resources(2, None, 1.0))
    shares = gate.queue(Resources(1, None, 0.25))
    without = gate.queue(Resources(1))
    too_many_cores = gate.queue(Resources(1))
    assert running.allocation
    assert without.allocation
    assert [big.allocation, shares.allocation, too_many_cores.allocation] == [None, None, None]
    running.leave()
    assert big.allocation
    assert not shares.allocation


def test_several_words_on_what_there_is_count_at_their_largest() -> None:
    gate = AdmissionQueue(lambda: ["3", "4"])
    gate.grow(Resources(2, None, 0.0))
    gate.grow(Resources(1, 100, 8.0))
    assert gate.capacity == Resources(2, 100, 2.0)
    assert (
        gate.too_big(Resources(1, None, 3.0)) == "needs 1 cores, 3 GPUs; this worker has 2 cores, 9.31e-08 GiB, 2 GPUs"
    )
    assert gate.queue(Resources(1, None, 2.0)).allocation == Allocation(
        Resources(1, None, 2.0), (("3", 1_000_000), ("4", 1_000_000))
    )


def test_threads_of_one_process_share_one_gate() -> None:
    gates: list[Any] = []
    threads = [threading.Thread(target=lambda: gates.append(process_queue())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(gate) for gate in gates}) == 1


def test_a_seat_wakes_who_waits_for_it() -> None:
    gate = AdmissionQueue(lambda: None)
    gate.grow(Resources(1))
    first, second = gate.queue(Resources(1)), gate.queue(Resources(1))
    timer = threading.Timer(0.1, first.leave)
    timer.start()
    assert second.wait(10.0) is not None
    timer.join()


class _Limits:
    def __init__(self, host: str | None = None, devices: tuple[str, ...] = ()) -> None:
        self.of_host, self.devices = host, devices

    def host(self) -> str | None:
        return self.of_host

    def device(self, name: str, last_start: float) -> str | None:
        return f"{name} is busy" if name in self.devices else None


def test_limits_hold_for_what_would_run_beside_something() -> None:
    gate, limits = AdmissionQueue(lambda: None), _Limits("memory is short")
    gate.grow(Resources(2))
    first, second = gate.queue(Resources(1), limits), gate.queue(Resources(1), limits)
    assert first.allocation
    assert (second.allocation, second.held) == (None, "memory is short")
    limits.of_host = None
    assert second.wait(0.0) is not None
    assert second.held is None


def test_a_busy_device_is_passed_by() -> None:
    gate, limits = AdmissionQueue(lambda: ["0", "1"]), _Limits(devices=("0", "1"))
    gate.grow(Resources(8, None, 2.0))
    allocations = [gate.queue(Resources(1, None, 0.25), limits) for _ in range(3)]
    assert [t.allocation.devices if t.allocation else t.held for t in allocations] == [("0",), ("1",), "0 is busy"]


def test_a_start_wakes_only_the_attempt_that_starts() -> None:
    queue = AdmissionQueue()
    queue.grow(Resources(cores=1))
    running, second, third = (queue.queue(Resources(cores=1)) for _ in range(3))
    waits: dict[str, float] = {}

    def wait(name: str, ticket: Ticket) -> None:
        began = time.monotonic()
        ticket.wait(4.0)
        waits[name] = time.monotonic() - began

    threads = [threading.Thread(target=wait, args=each) for each in (("second", second), ("third", third))]
    for thread in threads:
        thread.start()
    running.leave()
    for thread in threads:
        thread.join()

    assert second.allocation is not None
    assert third.allocation is None
    assert waits["second"] < 4.0 <= waits["third"]


def test_of_those_who_wait_only_the_first_asks_about_limits() -> None:
    asked: list[str] = []

    class Limits:
        def host(self) -> str:
            asked.append("host")
            return "busy"

        def device(self, name: str, last_start: float) -> None:
            raise AssertionError("it needs no device")

    gate = AdmissionQueue(lambda: None)
    gate.grow(Resources(4))
    running = gate.queue(Resources(1))
    first, second = (gate.queue(Resources(1), Limits()) for _ in range(2))
    asked.clear()

    assert second.wait(0.0) is None
    assert (second.is_first, asked) == (False, [])
    assert first.wait(0.0) is None
    assert (first.is_first, asked) == (True, ["host"])
    running.leave()
    assert first.allocation is not None
    assert second.is_first


def test_who_waits_can_be_woken() -> None:
    gate = AdmissionQueue(lambda: None)
    gate.grow(Resources(1))
    gate.queue(Resources(1))
    waiting = gate.queue(Resources(1))
    began = time.monotonic()
    threading.Timer(0.05, waiting.wake).start()
    assert waiting.wait(60.0) is None
    assert time.monotonic() - began < 30.0
