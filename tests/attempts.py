"""Attempts as a dispatcher's picture shows them, without a lake or an engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from alchemiscale_lake.dispatch.decision import Decision
from alchemiscale_lake.dispatch.picture import Identity, InFlight, Picture
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.claims import Claim
from alchemiscale_lake.tasks import TaskState, TaskStates
from alchemiscale_lake.tasks.states import ACTION_COLUMNS, STATE_COLUMNS
from tests.plain import SCOPE

NOW = datetime(2026, 11, 29, tzinfo=UTC)
ME = Identity("p", "dispatch", "dispatch:p@1.1@here")
JOBS = Identity("p", "jobs", "jobs:p@1.1@here")
NETWORK = "AlchemicalNetwork-1-org-campaign-project"


@dataclass(eq=False)
class Handle:
    """An assignment that decides nothing by itself."""

    name: str

    def done(self) -> bool:
        raise AssertionError("a decision looked at the engine")

    exception = cancel = done  # type: ignore[assignment]


def running(n: int, lease_expires_at: datetime = NOW) -> TaskState:
    """Return the state of a Task that runs as attempt `a<n>`."""
    task, transformation = f"Task-{n}-{SCOPE}", f"Transformation-{n}-{SCOPE}"
    return TaskState(SCOPE, task, transformation, None, "running", 10, f"a{n}", "p", lease_expires_at)


def states(*held: TaskState, actioned: bool = True) -> TaskStates:
    """Return the states of these Tasks alone."""
    rows = [{name: getattr(s, name) for name in TaskState.__dataclass_fields__} for s in held]
    tasks = pl.DataFrame(rows, schema=pl.DataFrame(TABLES["task_snapshots"].arrow.empty_table()).schema, strict=False)
    actions = pl.DataFrame(
        [{"scope": s.scope, "task": s.task, "network": NETWORK, "weight": 0.5 if actioned else None} for s in held],
        schema=pl.DataFrame(TABLES["action_snapshots"].arrow.empty_table()).schema,
        strict=False,
    )
    return TaskStates(1, tasks.select(STATE_COLUMNS), actions.select(ACTION_COLUMNS))


def in_flight(*numbers: int, handle: Handle | None = None, **more: object) -> dict[str, InFlight]:
    """Return attempts in flight."""
    found = {}
    for n in numbers:
        state = running(n)
        claim = Claim(f"a{n}", state.task, state.transformation, SCOPE, None)
        chosen = {"leased_at_s": 1000.0, **more}
        found[f"a{n}"] = InFlight(claim, handle or Handle(f"h{n}"), f"place{n}", **chosen)  # type: ignore[arg-type]
    return found


def check_decision(seen: Picture, decision: Decision) -> None:
    """Check what holds for every decision."""
    recorded = {r.attempt for r in decision.record}
    released = set(decision.release) | {s.attempt for s in decision.expire} | set(decision.fail)
    held = set(seen.states.tasks.filter(status="running")["attempt"])
    # nothing is lost: every receipt that was seen is recorded, and no Task is released beside it
    assert recorded == set(seen.receipts)
    assert recorded.isdisjoint(released)
    assert not decision.release.keys() & decision.fail.keys()
    # whoever is released from outside was asked to stop first, unless its assignment has ended
    stopping = {c.attempt for c in decision.stop} | {a for a, one in seen.in_flight.items() if one.is_stopping}
    assert released <= stopping | seen.ended
    # what is settled was recorded, released, failed, or is not ours any more; the rest stays in flight
    assert decision.settled <= seen.in_flight.keys()
    assert {a for a in decision.settled if a in held} <= recorded | released
    assert seen.ended <= decision.settled
    # only holders are renewed, and none that is released
    assert decision.renew <= held & seen.in_flight.keys()
    assert decision.renew.isdisjoint(released | decision.settled)
