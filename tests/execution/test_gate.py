"""Admission: never oversubscribed, no starvation, and overtaking delays nobody."""

from __future__ import annotations

import math
import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.execution.gate import Gate, Ticket, process_gate
from alchemiscale_lake.execution.room import Room, Seat
from alchemiscale_lake.resources import Resources

SHARES = st.sampled_from([0.0, 0.1, 1 / 6, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0, 1.5, 2.0])
MEMORY = st.none() | st.integers(1, 8)
NEEDS = st.builds(Resources, cores=st.integers(1, 4), memory_bytes=MEMORY, gpus=SHARES)
WORKERS = st.builds(Resources, cores=st.integers(1, 8), memory_bytes=MEMORY, gpus=st.sampled_from([0.0, 0.5, 1.0, 2.0]))


def _check(capacity: Resources, seats: list[Seat]) -> None:
    """Check that allocations are within the capacity, on every device."""
    assert sum(seat.resources.cores for seat in seats) <= capacity.cores
    if capacity.memory_bytes is not None:
        assert sum(seat.resources.memory_bytes or 0 for seat in seats) <= capacity.memory_bytes
    used: Counter[str] = Counter()
    for seat in seats:
        used.update(dict(seat.parts))
        gpus = seat.resources.gpus
        assert len(seat.devices) == math.ceil(gpus)
        assert sum(dict(seat.parts).values()) == pytest.approx(gpus * 1e6, abs=1)
    assert all(part <= 1_000_000 for part in used.values())
    assert sum(used.values()) <= capacity.gpus * 1e6 + 1


@settings(max_examples=200, deadline=None)
@given(WORKERS, st.lists(NEEDS, min_size=1, max_size=12), st.data())
def test_the_gate_is_never_above_what_there_is(worker: Resources, needs: list[Resources], data: st.DataObject) -> None:
    gate = Gate(lambda: None)
    gate.grow(worker)
    tickets: list[Ticket] = []
    for need in needs:
        tickets.append(gate.queue(need))
        seats = [t.seat for t in tickets if t.seat is not None]
        _check(worker, seats)
        if seats and data.draw(st.booleans()):
            leaving = data.draw(st.sampled_from([t for t in tickets if t.seat is not None]))
            leaving.leave()
            tickets.remove(leaving)
            _check(worker, [t.seat for t in tickets if t.seat is not None])
    # all are admitted eventually, except those that are too big
    while any(t.seat for t in tickets):
        leaving = next(t for t in tickets if t.seat)
        leaving.leave()
        tickets.remove(leaving)
        _check(worker, [t.seat for t in tickets if t.seat is not None])
    assert all(gate.too_big(t.needs) for t in tickets)
    assert gate.free == gate.capacity


@settings(max_examples=200, deadline=None)
@given(WORKERS, st.lists(NEEDS, max_size=6), NEEDS, st.lists(NEEDS, max_size=8))
def test_later_attempts_do_not_delay_earlier_ones(
    worker: Resources, before: list[Resources], mine: Resources, later: list[Resources]
) -> None:
    gate = Gate(lambda: None)
    gate.grow(worker)
    ahead = [gate.queue(need) for need in before]
    ticket = gate.queue(mine)
    behind = [gate.queue(need) for need in later]
    for other in ahead:
        other.leave()
    assert ticket.seat is not None or gate.too_big(mine)
    assert len(behind) == len(later)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(SHARES, st.booleans()), max_size=40))
def test_shares_come_back_whole(steps: list[tuple[float, bool]]) -> None:
    room = Room.of_worker(Resources(100, None, 2.0), ["a", "b"])
    seats: list[Seat] = []
    for gpus, give_back in steps:
        seat = room.take(Resources(1, None, gpus))
        seats += [seat] if seat else []
        if give_back and seats:
            room.give_back(seats.pop(0))
    for seat in seats:
        room.give_back(seat)
    assert room.parts == {"a": 1_000_000, "b": 1_000_000}


def test_shares_of_a_gpu_are_packed_on_one_device() -> None:
    room = Room.of_worker(Resources(8, None, 2.0), ["GPU-a", "GPU-b"])
    seats = [room.take(Resources(1, None, gpus)) for gpus in (0.25, 0.5, 0.5, 0.25)]
    assert [seat.devices for seat in seats if seat] == [("GPU-a",), ("GPU-a",), ("GPU-b",), ("GPU-a",)]
    assert room.take(Resources(1, None, 1.0)) is None
    assert room.take(Resources(1, None, 0.75)) is None


@pytest.mark.parametrize("n", [3, 6, 7, 9, 10])
def test_equal_shares_fill_a_device(n: int) -> None:
    room = Room.of_worker(Resources(100, None, 1.0), None)
    seats = [room.take(Resources(1, None, 1 / n)) for _ in range(n + 1)]
    assert [seat is not None for seat in seats] == [True] * n + [False]


def test_a_later_one_goes_ahead_only_where_it_cannot_delay() -> None:
    gate = Gate(lambda: None)
    gate.grow(Resources(5, None, 1.0))
    running = gate.queue(Resources(1, None, 0.5))
    big = gate.queue(Resources(2, None, 1.0))
    shares = gate.queue(Resources(1, None, 0.25))
    without = gate.queue(Resources(1))
    too_many_cores = gate.queue(Resources(1))
    assert running.seat
    assert without.seat
    assert [big.seat, shares.seat, too_many_cores.seat] == [None, None, None]
    running.leave()
    assert big.seat
    assert not shares.seat


def test_several_words_on_what_there_is_count_at_their_largest() -> None:
    gate = Gate(lambda: ["3", "4"])
    gate.grow(Resources(2, None, 0.0))
    gate.grow(Resources(1, 100, 8.0))
    assert gate.capacity == Resources(2, 100, 2.0)
    assert (
        gate.too_big(Resources(1, None, 3.0)) == "needs 1 cores, 3 GPUs; this worker has 2 cores, 9.31e-08 GiB, 2 GPUs"
    )
    assert gate.queue(Resources(1, None, 2.0)).seat == Seat(
        Resources(1, None, 2.0), (("3", 1_000_000), ("4", 1_000_000))
    )


def test_threads_of_one_process_share_one_gate() -> None:
    gates: list[Any] = []
    threads = [threading.Thread(target=lambda: gates.append(process_gate())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(gate) for gate in gates}) == 1


def test_a_seat_wakes_who_waits_for_it() -> None:
    gate = Gate(lambda: None)
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
    gate, limits = Gate(lambda: None), _Limits("memory is short")
    gate.grow(Resources(2))
    first, second = gate.queue(Resources(1), limits), gate.queue(Resources(1), limits)
    assert first.seat
    assert (second.seat, second.held) == (None, "memory is short")
    limits.of_host = None
    assert second.wait(0.0) is not None
    assert second.held is None


def test_a_busy_device_is_passed_by() -> None:
    gate, limits = Gate(lambda: ["0", "1"]), _Limits(devices=("0", "1"))
    gate.grow(Resources(8, None, 2.0))
    seats = [gate.queue(Resources(1, None, 0.25), limits) for _ in range(3)]
    assert [t.seat.devices if t.seat else t.held for t in seats] == [("0",), ("1",), "0 is busy"]
