"""A simulated world of pools without processes: hosts, jobs and workers that act step by step, and one clock.

Workers behave as `execution` promises: they check for stop requests before they start, end with a receipt, with a
release, or without either, and continue when their dispatcher dies.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alchemiscale_lake.dispatch.executor import Pending, Place
from alchemiscale_lake.execution.assignment import Assignment, AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.execution.quarantine_list import read_quarantine
from alchemiscale_lake.execution.receipt import has_receipt
from alchemiscale_lake.execution.release import Release, ReleaseKind, leave_release
from alchemiscale_lake.execution.stop_requests import ask_to_stop, is_asked_to_stop
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.store import Lake
from tests.plain import leave_receipt, plain_receipt


@dataclass
class MachineClock:
    """Deviation of the clocks of one machine from the true time."""

    skew_s: float = 0.0
    drift: float = 0.0
    booted_at: float = 1e6


@dataclass
class Clock:
    """Simulated time, as seen by the current machine."""

    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    passed_s: float = 0.0
    here: MachineClock = field(default_factory=MachineClock)

    def now(self, _: object = None) -> datetime:
        return self.start + timedelta(seconds=self.passed_s * (1 + self.here.drift) + self.here.skew_s)

    def monotonic(self) -> float:
        return self.here.booted_at + self.passed_s * (1 + self.here.drift)

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds

    @contextmanager
    def on(self, machine: MachineClock):  # type: ignore[no-untyped-def]
        """Read the time on this machine within the block."""
        before, self.here = self.here, machine
        try:
            yield
        finally:
            self.here = before


@dataclass(eq=False)
class Worker:
    """One attempt, on its way to a host or on it."""

    spec: AttemptSpec
    pool: str
    host: str
    started_at: datetime | None = None
    beat_at: datetime | None = None
    ended: bool = False


@dataclass(eq=False)
class Job:
    """An assignment submitted to an engine."""

    pool: str
    place: str
    workers: list[Worker]
    lake: Lake

    def done(self) -> bool:
        return all(worker.ended for worker in self.workers)

    def exception(self) -> None:
        return None

    def cancel(self) -> None:
        for worker in self.workers:
            ask_to_stop(self.lake, worker.spec)


@dataclass
class World:
    """Everything outside of dispatchers and the lake."""

    lake: Lake
    clock: Clock
    jobs: list[Job] = field(default_factory=list)
    draw: random.Random = field(default_factory=lambda: random.Random(0))

    def alive(self, pool: str | None = None) -> list[Worker]:
        workers = (worker for job in self.jobs for worker in job.workers)
        return [w for w in workers if not w.ended and pool in (None, w.pool)]

    def begin(self, worker: Worker) -> None:
        """Arrive at the host: start, wait for capacity, or report why not."""
        beside = [w for w in self.alive(worker.pool) if w.host == worker.host and w.started_at is not None]
        if has_receipt(self.lake, worker.spec):
            worker.ended = True
        elif is_asked_to_stop(self.lake, worker.spec):
            self.say(worker, "stopped")
        elif read_quarantine(self.lake).get(worker.host, self.clock.now()) > self.clock.now():
            self.say(worker, "refused")
        elif len(beside) < 2:
            worker.started_at = self.clock.now()
            self.beat(worker)

    def beat(self, worker: Worker) -> None:
        if worker.started_at is not None:
            at = worker.beat_at = self.clock.now()
            leave_beat(self.lake, worker.spec, Beat(at, worker.started_at, at, worker.host))

    def finish(self, worker: Worker, *, ok: bool) -> None:
        assert worker.started_at is not None
        wall_time_s = (self.clock.now() - worker.started_at).total_seconds()
        receipt = plain_receipt(
            worker.spec, ok=ok, started_at=worker.started_at, wall_time_s=max(wall_time_s, 1.0), hostname=worker.host
        )
        leave_receipt(self.lake, receipt)
        worker.ended = True

    def say(self, worker: Worker, kind: ReleaseKind) -> None:
        leave_release(self.lake, worker.spec, Release(kind, "for a reason", worker.host))
        worker.ended = True

    def heed(self, worker: Worker) -> None:
        """Check for a stop request, as workers do every second."""
        if is_asked_to_stop(self.lake, worker.spec):
            self.say(worker, "stopped")


@dataclass
class WorkerPool:
    """Hosts with two cores, whose workers belong to a dispatcher; those of a dead one continue until they notice."""

    world: World
    name: str
    hosts: tuple[str, ...]
    jobs: list[Job] = field(default_factory=list)
    barred: frozenset[str] = frozenset()
    durable = False
    whole_jobs = False

    def places(self, workers: int) -> list[Place]:
        found = []
        for host in self.hosts:
            taken = sum(not w.ended for job in self.jobs for w in job.workers if w.host == host)
            if host not in self.barred:
                found.append(Place(host, Resources(2), Resources(2 - taken), 64 - taken, host))
        return found

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Job:
        (spec,) = assignment.attempts
        assert place not in self.barred, "something for a host in quarantine"
        job = Job(self.name, place, [Worker(spec, self.name, place)], self.world.lake)
        self.jobs.append(job)
        self.world.jobs.append(job)
        return job

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, Job]:
        return {}

    def pending(self) -> Pending:
        return Pending()

    def retire(self, hostnames: Collection[str]) -> None:
        self.barred = frozenset(hostnames)


@dataclass
class JobQueue:
    """A queue that runs up to two jobs of up to two attempts, and continues without a dispatcher."""

    world: World
    name: str
    hosts: tuple[str, ...]
    n_named: int = 0
    durable = True
    whole_jobs = True

    def _under_way(self) -> list[Job]:
        return [job for job in self.world.jobs if job.pool == self.name and not job.done()]

    def places(self, workers: int) -> list[Place]:
        free = max(0, min(2, workers) - len(self._under_way()))
        self.n_named += free
        return [Place(f"job {self.n_named - i}", Resources(2), Resources(2), 2) for i in range(free)]

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Job:
        host = self.world.draw.choice(self.hosts)
        job = Job(self.name, place, [Worker(spec, self.name, host) for spec in assignment.attempts], self.world.lake)
        self.world.jobs.append(job)
        return job

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, Job]:
        found = {worker.spec.attempt: job for job in self._under_way() for worker in job.workers}
        return {attempt: job for attempt, job in found.items() if attempt in attempts}

    def pending(self) -> Pending:
        return Pending()

    def retire(self, hostnames: Collection[str]) -> None:
        """Jobs start wherever there is room."""
