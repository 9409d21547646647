"""One of three hosts fails every Task at once: fraction of Tasks lost, with and without quarantine.

The dispatcher, its claims, the rules and the tables are real; the hosts, four slots each, and the time are simulated:
a Task takes an hour on a good host and five seconds on the bad one, and the clock jumps to the next event. A failed
Task stays in error, so that one failure loses it; the third case adds a restart pattern, by which it runs again
elsewhere. Run it with ``python -m benchmarks.bench_quarantine``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import QuarantineRules
from alchemiscale_lake.statestore import host_records as hosts
from alchemiscale_lake.statestore.restarts import add_task_restart_patterns
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, now_utc
from tests.engine import Engine, Flight
from tests.plain import SCOPE, plain_chain

from . import _table

NAME = "quarantine"
TARGET = "with quarantine the bad host burns less than a quarter of what it burns without"

_TARGET_RATIO = 0.25
_TAKES = {True: timedelta(hours=1), False: timedelta(seconds=5)}
_NO_RULES = QuarantineRules(failures=10**9)


class _Clock:
    """The time of the simulation."""

    def __init__(self) -> None:
        self.now = now_utc()

    def __call__(self) -> datetime:
        return self.now


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Run the same campaign three times."""
    n_tasks = 200 if quick else 400
    cases = {
        "without quarantine": _campaign(n_tasks, _NO_RULES),
        "with quarantine": _campaign(n_tasks, QuarantineRules()),
        "with quarantine and a restart pattern": _campaign(n_tasks, QuarantineRules(), restarts=3),
    }
    without = cases["without quarantine"]["tasks_burnt"]
    ratios = {name: figures["tasks_burnt"] / without for name, figures in cases.items()}
    return [
        {
            "name": f"{n_tasks} Tasks, one host of three fails all, {name}",
            **figures,
            "ratio": ratios[name],
            "target": f"<= {_TARGET_RATIO:g}x" if name == "with quarantine" else "none",
            "ok": name != "with quarantine" or ratios[name] <= _TARGET_RATIO,
        }
        for name, figures in cases.items()
    ]


def _campaign(n_tasks: int, rules: QuarantineRules, restarts: int = 0) -> dict[str, float]:
    """Dispatch until nothing waits or runs."""
    with tempfile.TemporaryDirectory() as folder, _simulated_time() as clock:
        lake = Lake.create(Path(folder) / "lake")
        pairs = [(f"l{i}", f"l{i + 1}") for i in range(20)]
        network = submit_network(lake, plain_chain(pairs), SCOPE).network
        ensure_tasks(lake, network, n_tasks // 20, caller=Caller("bench"))
        if restarts:
            add_task_restart_patterns(lake, network, ["asked to fail"], restarts, caller=Caller("bench"))
        engine = Engine(lake, slots=4, hosts=("good1", "good2", "bad"))
        dispatcher = Dispatcher(lake, engine, DispatchSettings(resources=Resources(1), hosts=rules))
        began, ends = clock.now, dict[int, datetime]()
        while lake.task_log.states().tasks["status"].is_in(["waiting", "running"]).any():
            dispatcher.turn()
            flying = [flight for flight in engine.flights if not flight.done()]
            for flight in flying:
                ends.setdefault(id(flight), clock.now + _TAKES[flight.place != "bad"])
            events = [ends[id(flight)] for flight in flying] + list(hosts.quarantined(lake, rules).values())
            clock.now = min(events, default=clock.now)
            for flight in flying:
                if ends[id(flight)] <= clock.now:
                    _land(engine, flight, clock.now)
        statuses = lake.task_log.states().tasks["status"]
        bad = lake.table("results").scan().filter(ok=False).collect()
        assert set(bad["hostname"]) == {"bad"}
        return {
            "tasks_burnt": bad["task"].n_unique() / n_tasks,
            "tasks_lost_for_good": (statuses != "complete").sum() / n_tasks,
            "bad_attempts": len(bad),
            "hours_simulated": (clock.now - began).total_seconds() / 3600,
        }


def _land(engine: Engine, flight: Flight, now: datetime) -> None:
    ok = flight.place != "bad"
    takes = _TAKES[ok]
    engine.land(flight, ok=ok, wall_time_s=takes.total_seconds(), started_at=now - takes, hostname=flight.place)


@contextmanager
def _simulated_time() -> Iterator[_Clock]:
    """Use a simulated clock for hosts, and evaluate them at every turn, since turns are far apart on it."""
    clock = _Clock()
    with mock.patch.object(hosts, "now_utc", clock), mock.patch.object(hosts, "_LONGEST_S", 0.0):
        yield clock


if __name__ == "__main__":
    _table.main(run)
