"""An engine that runs nothing itself, so that every turn of a dispatcher can be observed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alchemiscale_lake.dispatch.executor import Pending, Place
from alchemiscale_lake.execution.assignment import Assignment
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.store import Lake
from tests.plain import leave_receipt, plain_receipt


@dataclass
class Flight:
    assignment: Assignment
    name: str
    place: str
    ended: bool = False
    error: BaseException | None = None
    cancelled: bool = False

    def done(self) -> bool:
        return self.ended or self.cancelled

    def exception(self) -> BaseException | None:
        return self.error

    def cancel(self) -> None:
        self.cancelled = True

    @property
    def attempts(self) -> list[str]:
        return [spec.attempt for spec in self.assignment.attempts]


@dataclass
class Engine:
    """Workers with `slots` cores each on `hosts`; `land` ends an assignment with a receipt, `crash` without.

    With `whole_jobs` every place is a future job, and `jobs` of them are accepted at a time.
    """

    lake: Lake
    slots: int = 2
    hosts: Sequence[str] = ("host",)
    at_once: bool = False
    durable: bool = False
    whole_jobs: bool = False
    jobs: int = 1
    ends_in_s: float | None = None
    flights: list[Flight] = field(default_factory=list)
    retired: frozenset[str] = frozenset()
    wanted: list[int] = field(default_factory=list)

    def places(self, workers: int) -> list[Place]:
        self.wanted.append(workers)
        capacity = Resources(self.slots)
        if self.whole_jobs:
            free = self.jobs - len([f for f in self.flights if not f.done()])
            names = [f"job-{len(self.flights) + i}" for i in range(min(free, workers))]
            return [Place(name, capacity, capacity, self.slots, None, self.ends_in_s) for name in names]
        places = []
        for host in self.hosts:
            taken = sum(not f.done() for f in self.flights if f.place == host)
            free = Resources(self.slots - taken)
            places.append(Place(host, capacity, free, 64 - taken, host, self.ends_in_s))
        return places

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Flight:
        self.flights.append(Flight(assignment, name, place))
        if self.at_once:
            self.land(self.flights[-1])
        return self.flights[-1]

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, Flight]:
        going_on = [f for f in self.flights if not f.done()]
        return {attempt: f for f in going_on for attempt in f.attempts if attempt in attempts}

    def pending(self) -> Pending:
        return Pending()

    def retire(self, hostnames: Collection[str]) -> None:
        self.retired = frozenset(hostnames)

    def land(self, flight: Flight, *, ok: bool = True, wall_time_s: float = 1000.0, **more: Any) -> None:
        for spec in flight.assignment.attempts:
            leave_receipt(self.lake, plain_receipt(spec, ok=ok, wall_time_s=wall_time_s, **more))
        flight.ended = True

    def crash(self, flight: Flight, error: BaseException | None = None) -> None:
        flight.ended, flight.error = True, error
