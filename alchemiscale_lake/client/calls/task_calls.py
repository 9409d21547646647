"""Tasks: create, find, action, cancel, and set their status and priority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from ...caller import Caller
from ...errors import InvalidArgumentError, InvalidKeyError
from ...ids import Scope, ScopedKey
from ...plurals import count
from ...schemas import STATUSES
from ...statestore import task_operations
from ...statestore.network_members import require_networks, require_transformations
from ...statestore.task_operations import TaskOutcome
from ...store import Lake
from ...suggestions import did_you_mean
from ...tasks import TaskState, task_values
from ._rows import in_scope, members_of, readable, require_possible, require_rows

__all__ = [
    "action_tasks",
    "cancel_tasks",
    "create_tasks",
    "ensure_tasks",
    "n_in_flight",
    "network_tasks",
    "networks_actioned_tasks",
    "query_tasks",
    "set_tasks_priority",
    "set_tasks_status",
    "task_actioned_networks",
    "task_networks",
    "task_transformation",
    "tasks_priority",
    "tasks_status",
    "transformation_tasks",
]


def create_tasks(
    lake: Lake, caller: Caller, *, transformations: Sequence[str], extends: Sequence[str | None] | None = None
) -> list[str]:
    """Create one Task per given Transformation; return their ScopedKeys in this order.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformations : sequence of str
        ScopedKeys; one may be repeated.
    extends : sequence of str or None, optional
        Task that each extends, or None.
    """
    return task_operations.create_tasks(lake, transformations, extends=extends, caller=caller)


def ensure_tasks(
    lake: Lake, caller: Caller, *, network: str, per_transformation: int, weight: float | None = None
) -> list[str]:
    """Create and action what every Transformation of a network lacks of a number of Tasks; return the new ones.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    per_transformation : int
    weight : float, optional
        Weight of new actions; 0.5 by default.
    """
    require_possible(task_values.bad_count(per_transformation))
    require_possible(task_values.bad_weight(weight))
    return task_operations.ensure_tasks(lake, network, per_transformation, weight=weight, caller=caller)


def query_tasks(lake: Lake, caller: Caller, *, scope: str = "*-*-*", status: str | None = None) -> list[str]:
    """Return the ScopedKeys of Tasks, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    scope : str, default "*-*-*"
        A Scope or a pattern.
    status : str, optional
        Only Tasks with this status.
    """
    Scope.from_str(scope)
    tasks = _with_status(lake.task_log.states().tasks, status).filter(in_scope(scope))
    return readable(caller, tasks["task"].sort())


def network_tasks(lake: Lake, caller: Caller, *, network: str, status: str | None = None) -> list[str]:
    """Return the ScopedKeys of the Tasks of a network's Transformations, actioned or not, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    status : str, optional
        Only Tasks with this status.
    """
    caller.require_for("read", [network])
    require_networks(lake, [network])
    members = members_of(lake, network, "transformation")
    tasks = _with_status(lake.task_log.states().tasks, status)
    return _keys(tasks.filter(pl.col("transformation").is_in(members)))


def transformation_tasks(
    lake: Lake, caller: Caller, *, transformation: str, extends: str | None = None, status: str | None = None
) -> list[list[str | None]]:
    """Return the Tasks of a Transformation, each with the Task that it extends, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformation : str
        ScopedKey.
    extends : str, optional
        Only Tasks that extend this one, directly or indirectly.
    status : str, optional
        Only Tasks with this status.
    """
    caller.require_for("read", [transformation])
    require_transformations(lake, [transformation])
    states = lake.task_log.states()
    tasks = _with_status(states.tasks, status).filter(pl.col("transformation") == transformation)
    if extends is not None:
        tasks = tasks.filter(pl.col("task").is_in(list(states.extending([extends]))))
    return [list(row) for row in tasks.sort("task").select("task", "extends").iter_rows()]


def task_transformation(lake: Lake, caller: Caller, *, task: str) -> str:
    """Return the ScopedKey of the Transformation of a Task.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    """
    caller.require_for("read", [task])
    rows = lake.task_log.states().tasks.filter(pl.col("task") == task)
    require_rows(rows, "task", [task], "Task")
    return str(rows["transformation"].item())


def task_networks(lake: Lake, caller: Caller, *, task: str) -> list[str]:
    """Return the ScopedKeys of the networks with the Transformation of a Task, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    """
    member = task_transformation(lake, caller, task=task)
    rows = lake.table("network_members").scan().filter(pl.col("member") == member)
    return rows.select("network").unique().collect()["network"].sort().to_list()


def tasks_status(lake: Lake, caller: Caller, *, tasks: Sequence[str]) -> list[str | None]:
    """Return the status of each Task, None for one that the lake lacks.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    """
    return [None if state is None else state.status for state in _states(lake, caller, tasks)]


def tasks_priority(lake: Lake, caller: Caller, *, tasks: Sequence[str]) -> list[int | None]:
    """Return the priority of each Task, None for one that the lake lacks.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    """
    return [None if state is None else state.priority for state in _states(lake, caller, tasks)]


def set_tasks_status(
    lake: Lake, caller: Caller, *, tasks: Sequence[str], status: str, reason: str | None = None
) -> list[list[Any]]:
    """Set the status of Tasks; return for each whether it has it now, and why not.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    status : str
        `waiting`, `invalid` or `deleted`.
    reason : str, optional
        Recorded in the log.
    """
    require_possible(task_values.bad_user_status(status))
    return _told(task_operations.set_tasks_status(lake, tasks, status, reason=reason, caller=caller))


def set_tasks_priority(
    lake: Lake, caller: Caller, *, tasks: Sequence[str], priority: int | list[int], reason: str | None = None
) -> list[list[Any]]:
    """Set the priority of Tasks; answers as `set_tasks_status`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    priority : int or list of int
        One for all, or one per Task; the lower number is claimed first.
    reason : str, optional
        Recorded in the log.
    """
    if isinstance(priority, list) and len(priority) != len(tasks):
        raise InvalidArgumentError(
            f"{count(len(tasks), 'Task')} but {count(len(priority), 'priority', 'priorities')}; give one per Task"
        )
    for one in priority if isinstance(priority, list) else [priority]:
        require_possible(task_values.bad_priority(one))
    return _told(task_operations.set_tasks_priority(lake, tasks, priority, caller=caller, reason=reason))


def action_tasks(
    lake: Lake,
    caller: Caller,
    *,
    tasks: Sequence[str],
    network: str,
    weight: float | Sequence[float] | None = None,
    reason: str | None = None,
) -> list[list[Any]]:
    """Action Tasks on a network; answers as `set_tasks_status`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    network : str
        ScopedKey.
    weight : float or sequence of float, optional
        One for all, or one per Task.
    reason : str, optional
        Recorded in the log.
    """
    for one in [weight] if weight is None or isinstance(weight, (int, float)) else weight:
        require_possible(task_values.bad_weight(one))
    return _told(task_operations.action_tasks(lake, tasks, network, weight=weight, caller=caller, reason=reason))


def cancel_tasks(
    lake: Lake, caller: Caller, *, tasks: Sequence[str], network: str, reason: str | None = None
) -> list[list[Any]]:
    """Cancel Tasks on a network; return for each whether it was actioned there before, and why not.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    network : str
        ScopedKey.
    reason : str, optional
        Recorded in the log.
    """
    outcomes = task_operations.cancel_tasks(lake, tasks, network, caller=caller, reason=reason)
    # as in alchemiscale, where cancelling a Task that was not actioned is not a success
    return [[outcome.ok and outcome.reason is None, outcome.reason] for outcome in outcomes]


def networks_actioned_tasks(lake: Lake, caller: Caller, *, networks: Sequence[str]) -> list[dict[str, float]]:
    """Return the weight of every Task that is actioned on each network.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
        ScopedKeys.
    """
    caller.require_for("read", networks)
    wrong = [network for network in networks if ScopedKey.from_str(network).qualname != "AlchemicalNetwork"]
    if wrong:
        raise InvalidKeyError(f"{wrong[0]} is not the ScopedKey of an AlchemicalNetwork", value=wrong[0])
    found: dict[str, dict[str, float]] = {network: {} for network in networks}
    live = lake.task_log.states().live_actions().filter(pl.col("network").is_in(list(networks)))
    for task, network, weight in live.select("task", "network", "weight").sort("task").iter_rows():
        found[network][task] = weight
    return [found[network] for network in networks]


def n_in_flight(lake: Lake, caller: Caller, *, network: str) -> int:
    """Count the Tasks actioned on a network that wait or run.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str
        ScopedKey.
    """
    caller.require_for("read", [network])
    require_networks(lake, [network])
    states = lake.task_log.states()
    actioned = states.live_actions().filter(pl.col("network") == network)
    return len(states.with_status("waiting", "running").join(actioned, on="task", how="semi"))


def task_actioned_networks(lake: Lake, caller: Caller, *, task: str) -> dict[str, float]:
    """Return the weight of a Task on every network on which it is actioned.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    """
    caller.require_for("read", [task])
    return dict(sorted(lake.task_log.states().networks_of([task])[task].items()))


def _states(lake: Lake, caller: Caller, tasks: Sequence[str]) -> list[TaskState | None]:
    caller.require_for("read", tasks)
    known = lake.task_log.states().of(tasks)
    return [known.get(task) for task in tasks]


def _with_status(tasks: pl.DataFrame, status: str | None) -> pl.DataFrame:
    if status is None:
        return tasks
    if status not in STATUSES:
        meant = did_you_mean(status, STATUSES) or f"; it is one of {', '.join(STATUSES)}"
        raise InvalidKeyError(f"{status!r} is not the status of a Task{meant}", value=status)
    return tasks.filter(pl.col("status") == status)


def _keys(tasks: pl.DataFrame) -> list[str]:
    return list(tasks["task"].sort())


def _told(outcomes: Sequence[TaskOutcome]) -> list[list[Any]]:
    return [[outcome.ok, outcome.reason] for outcome in outcomes]
