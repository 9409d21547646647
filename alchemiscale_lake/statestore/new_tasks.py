"""Creation of Tasks: individually, or as many as a network needs.

Operations on existing Tasks are in `task_operations`, which also exports these functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from ..caller import Caller
from ..errors import InvalidKeyError, InvalidTransitionError, SettingsError
from ..faults import fault_point
from ..ids import ScopedKey, new_task_key
from ..plurals import count, part
from ..store import Lake, now_utc
from ..tasks import Event, Refusal, TaskState, TaskStates, status
from ..tasks.task_values import bad_weight
from .network_members import network_transformations, require_transformations

__all__ = ["create_tasks", "ensure_tasks", "store_tasks"]


def create_tasks(
    lake: Lake,
    transformations: Sequence[str],
    *,
    extends: Sequence[str | None] | str | None = None,
    caller: Caller,
    priority: int = 10,
) -> list[str]:
    """Create one Task per given key; repeat a Transformation to create several Tasks.

    Creating does not action them: see `action_tasks`.

    Parameters
    ----------
    lake : Lake
    transformations : sequence of str
        ScopedKeys.
    extends : str, sequence of str or None, optional
        Task that each new one extends: one for all, or one per Transformation.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    priority : int, default 10
        The lower number is claimed first.

    Returns
    -------
    list of str
        ScopedKeys of the new Tasks, in the order of `transformations`.

    Raises
    ------
    NotFoundError
        If a Transformation is not in the lake. Nothing is created.
    InvalidTransitionError
        If a Task cannot be extended. Nothing is created.
    """
    parents = [extends] * len(transformations) if extends is None or isinstance(extends, str) else list(extends)
    if len(parents) != len(transformations):
        raise InvalidKeyError(
            f"{count(len(transformations), 'Transformation')} but {count(len(parents), 'Task')} to extend"
        )
    caller.require_for("write", transformations)
    require_transformations(lake, transformations)
    new = [
        _new_task(transformation, parent, priority)
        for transformation, parent in zip(transformations, parents, strict=True)
    ]

    def decide(states: TaskStates) -> list[Event]:
        known = states.of([parent for parent in parents if parent is not None])
        made = [status.create(task, known.get(task.extends or "")) for task in new]
        refused = [m for m in made if isinstance(m, Refusal)]
        if refused:
            raise InvalidTransitionError(
                f"{part(len(refused), len(new), 'Task')} cannot be created: {refused[0].reason}; nothing was created",
                reasons=[r.reason for r in refused],
            )
        return [m for m in made if isinstance(m, Event)]

    decide(lake.task_log.states())  # fail before anything is written
    store_tasks(lake, new, caller)
    lake.task_log.commit(decide, caller=caller)
    return [task.task for task in new]


def ensure_tasks(
    lake: Lake,
    network: str,
    per_transformation: int,
    *,
    caller: Caller,
    priority: int = 10,
    weight: float | None = None,
) -> list[str]:
    """Ensure that every Transformation of a network has this many Tasks, actioned there.

    Tasks in any status except invalid and deleted count, so calling again changes nothing; cancelled actions stay
    cancelled. Creating and actioning is one commit.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    per_transformation : int
        Number of Tasks that each Transformation has afterwards, at least.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    priority : int, default 10
        Of created Tasks; the lower number is claimed first.
    weight : float, optional
        Of new actions, within [0, 1]; by default 0.5.

    Returns
    -------
    list of str
        ScopedKeys of the created Tasks.

    Raises
    ------
    SettingsError
        If the weight is outside [0, 1]. Nothing is created.
    NotFoundError
        If the network is not in the lake.
    """
    caller.require_for("write", [network])
    if impossible := bad_weight(weight):
        raise SettingsError(impossible, weight=weight)
    transformations = network_transformations(lake, network)
    have = _live_tasks(lake.task_log.states(), transformations)
    spare = {t: [_new_task(t, None, priority) for _ in range(per_transformation - have[t])] for t in transformations}
    store_tasks(lake, [task for tasks in spare.values() for task in tasks], caller)
    created: list[str] = []

    def decide(states: TaskStates) -> list[Event]:
        created.clear()
        have = _live_tasks(states, transformations)
        events: list[Event] = []
        standing = states.tasks.filter(pl.col("transformation").is_in(transformations))["task"].to_list()
        actioned = states.networks_of(standing)
        cancelled = states.cancelled_on(network)
        for task in states.of(standing).values():
            if task.task in cancelled:
                continue
            done = status.action(task, network, weight, actioned[task.task].get(network))
            events += [done] if isinstance(done, Event) else []
        for transformation, tasks in spare.items():
            for task in tasks[: max(0, per_transformation - have[transformation])]:
                first = status.create(task, None)
                second = status.action(task, network, weight, None)
                events += [e for e in (first, second) if isinstance(e, Event)]
                created.append(task.task)
        return events

    lake.task_log.commit(decide, caller=caller)
    return created


def _new_task(transformation: str, extends: str | None, priority: int) -> TaskState:
    scope = _scope_of(transformation)
    return TaskState(scope, new_task_key(scope), transformation, extends, priority=priority)


@lru_cache(maxsize=4096)
def _scope_of(key: str) -> str:
    return str(ScopedKey.from_str(key).scope)


def store_tasks(lake: Lake, tasks: Sequence[TaskState], caller: Caller) -> None:
    """Write the rows of Tasks that an event will make visible; rows that exist are left as they are.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of TaskState
    caller : Caller
        Recorded as their creator.
    """
    created_at = now_utc()
    columns = ("scope", "task", "transformation", "extends")
    rows = [{**{c: getattr(t, c) for c in columns}, "creator": caller.name, "created_at": created_at} for t in tasks]
    lake.table("tasks").append_new(rows)
    # a Task becomes visible with its `created` event in the log; a row without one is ignored
    fault_point("tasks:before-event")


def _live_tasks(states: TaskStates, transformations: Sequence[str]) -> Counter[str]:
    live = states.tasks.filter(
        pl.col("transformation").is_in(list(transformations)) & ~pl.col("status").is_in(["invalid", "deleted"])
    )
    return Counter(live["transformation"].to_list())
