"""Tasks that run, and the attempts that were asked to stop."""

from __future__ import annotations

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    create_tasks,
)
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE

AB = f"Transformation-a_b-{SCOPE}"


REASON = "no longer actioned on any active network"


def claim_all(lake: Lake) -> list[AttemptSpec]:
    claims = claim_tasks(lake, "p", 100, lease_s=1e4, caller=Caller("d"))
    return [AttemptSpec(c.attempt, c.task, c.transformation, c.scope) for c in claims]


def running_on(lake: Lake, *networks: str) -> AttemptSpec:
    """Return one running Task, actioned on these networks."""
    (task,) = create_tasks(lake, [AB], caller=Caller("ana"))
    for network in networks:
        action_tasks(lake, [task], network, caller=Caller("ana"))
    (spec,) = claim_all(lake)
    return spec


def events_of(lake: Lake, task: str) -> list[tuple[str, str, str | None]]:
    log = lake.table("task_log").scan().filter(task=task).sort("seq", "idx").collect()
    return list(log.select("event", "status", "reason").iter_rows())


def is_free(lake: Lake, spec: AttemptSpec) -> bool:
    return lake.task_log.states().of([spec.task])[spec.task].status == "waiting"
