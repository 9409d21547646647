"""10,000 Tasks in flight in a simulated pool: duration of a dispatcher's turn, compared with 50 in flight.

Nothing runs: periodically some attempts leave a receipt, as a worker would, and every attempt has a heartbeat.
Everything else is real: claims, leases and their renewal, policy, hosts, heartbeats, receipts, tables. Every request
for an object takes 50 ms more, as in a bucket. Tasks end at the same rate in both cases, so the difference is the cost
of the number in flight. Run it with ``python -m benchmarks.bench_in_flight``.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch import schedule
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.dispatch.executor import Pending, Place
from alchemiscale_lake.execution.assignment import Assignment
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.store.objects import ObjectStore
from alchemiscale_lake.store.parallel_requests import at_once
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt

from . import _table

NAME = "in-flight"
TARGET = "a turn with 10,000 in flight takes at most twice as long as one with 50; memory is reported"

_TARGET_RATIO = 2.0
_PER_HOST = 4
_ENDS_PER_S = 10.0
_LATENCY_S = 0.05
_REQUESTS = ("get", "put", "put_exclusive", "exists", "list", "list_with_times", "children", "delete")
#: Short, so that renewals and reads of heartbeats are within the measured turns.
_SETTINGS = DispatchSettings(resources=Resources(1, None, 1.0), heartbeat_s=2.0, lease_s=4.0)
_SILENCE_EVERY_S = 10.0


@dataclass(slots=True)
class _Handle:
    assignment: Assignment
    ended: bool = False

    def done(self) -> bool:
        return self.ended

    def exception(self) -> None:
        return None

    def cancel(self) -> None:
        self.ended = True


@dataclass
class _Pool:
    """Hosts with four GPUs each; attempts end on request."""

    n_hosts: int
    durable: bool = False
    whole_jobs: bool = False
    at: dict[str, dict[int, _Handle]] = field(default_factory=dict)

    def places(self, workers: int) -> list[Place]:
        whole = Resources(_PER_HOST, None, _PER_HOST)
        places = []
        for name in (f"node{i:04d}" for i in range(self.n_hosts)):
            busy = self.at.setdefault(name, {})
            for key in [key for key, handle in busy.items() if handle.ended]:
                del busy[key]
            free = _PER_HOST - len(busy)
            if free:
                places.append(Place(name, whole, Resources(free, None, free), free, name))
        return places

    def submit(self, assignment: Assignment, *, name: str, place: str) -> _Handle:
        handle = _Handle(assignment)
        self.at[place][id(handle)] = handle
        return handle

    def find(self, attempts: Mapping[str, str]) -> dict[str, _Handle]:
        return {}

    def pending(self) -> Pending:
        return Pending()

    def retire(self, hostnames: Collection[str]) -> None:
        """Do nothing: every simulated host is good."""

    def beat(self, lake: Lake) -> None:
        """Let every attempt leave a heartbeat: several at a time, as workers do."""
        at = now_utc()
        beating = [
            (spec, Beat(at, at, at, host))
            for host, handles in self.at.items()
            for handle in handles.values()
            for spec in handle.assignment.attempts
        ]
        at_once(lambda pair: leave_beat(lake, *pair), beating)

    def end_some(self, lake: Lake, n: int, rng: random.Random) -> None:
        """Let attempts leave their receipts and end."""
        running = [(host, h) for host, handles in self.at.items() for h in handles.values() if not h.ended]

        def end(pair: tuple[str, _Handle]) -> None:
            host, handle = pair
            (spec,) = handle.assignment.attempts
            started = now_utc() - timedelta(hours=1)
            leave_receipt(lake, plain_receipt(spec, started_at=started, wall_time_s=3600.0, hostname=host))
            handle.ended = True

        at_once(end, rng.sample(running, min(n, len(running))))


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time turns with few and with many Tasks in flight."""
    many, turns = (500, 20) if quick else (10_000, 30)
    few = _measure(50, turns)
    crowd = _measure(many, turns)
    ratio = crowd["turn_mean_s"] / few["turn_mean_s"]
    return [
        {
            "name": f"{many:,} Tasks in flight, {_ENDS_PER_S:g} end per second",
            "ours_s": crowd["turn_mean_s"],
            "reference_s": few["turn_mean_s"],
            "reference": "a turn with 50 in flight",
            "ratio": ratio,
            "turn_p50_s": crowd["turn_p50_s"],
            "reference_p50_s": few["turn_p50_s"],
            "turn_p95_s": crowd["turn_p95_s"],
            "reference_p95_s": few["turn_p95_s"],
            "turn_max_s": crowd["turn_max_s"],
            "reference_max_s": few["turn_max_s"],
            "n_renewed": crowd["n_renewed"],
            "fill_s": crowd["fill_s"],
            "rss_mb": crowd["rss_mb"],
            "reference_rss_mb": few["rss_mb"],
            "target": f"<= {_TARGET_RATIO:g}x",
            "ok": quick or ratio <= _TARGET_RATIO,
        }
    ]


def _measure(in_flight: int, turns: int) -> dict[str, float]:
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        n_transformations = 200
        pairs = [(f"l{i}", f"l{i + 1}") for i in range(n_transformations)]
        network = submit_network(lake, plain_chain(pairs), SCOPE).network
        ensure_tasks(lake, network, 2 * max(in_flight, 2000) // n_transformations, caller=Caller("bench"))
        pool = _Pool(in_flight // _PER_HOST)
        dispatcher = Dispatcher(lake, pool, _SETTINGS)
        began = time.perf_counter()
        while sum(map(len, pool.at.values())) < in_flight // _PER_HOST * _PER_HOST:
            dispatcher.turn()
        fill_s = time.perf_counter() - began
        pool.beat(lake)
        times = []
        last = time.perf_counter()
        with _slow_storage():
            for _ in range(turns):
                now = time.perf_counter()
                pool.end_some(lake, max(1, round((now - last) * _ENDS_PER_S)), rng)
                last = now
                began = time.perf_counter()
                dispatcher.turn()
                times.append(time.perf_counter() - began)
        assert (lake.task_log.states().tasks["status"] == "running").sum() >= 0.9 * in_flight
        renewed = lake.table("task_log").scan().filter(event="renewed").select("task").collect()
        assert len(renewed), "leases were renewed meanwhile"
        return {
            "turn_mean_s": statistics.fmean(times),
            "turn_p50_s": statistics.median(times),
            "turn_p95_s": statistics.quantiles(times, n=20)[-1],
            "turn_max_s": max(times),
            "fill_s": fill_s,
            "n_renewed": len(renewed),
            "rss_mb": psutil.Process().memory_info().rss / 2**20,
        }


@contextmanager
def _slow_storage() -> Iterator[None]:
    """Let every request for an object take as long as in a bucket."""

    def slow(request: Callable[..., Any]) -> Callable[..., Any]:
        def later(*args: Any, **kwargs: Any) -> Any:
            time.sleep(_LATENCY_S)
            return request(*args, **kwargs)

        return later

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(schedule, "_SILENCE_S", _SILENCE_EVERY_S))
        for name in _REQUESTS:
            patches.enter_context(mock.patch.object(ObjectStore, name, slow(getattr(ObjectStore, name))))
        yield


if __name__ == "__main__":
    _table.main(run)
