"""User operations on Tasks: create, action, cancel, weigh, prioritise, set the status.

Every call is one commit to the task log, however many Tasks it names, and returns for each Task in order: done, or
refused with the reason. Tasks that are no longer to run are stopped at once, on whatever host they run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ..caller import Caller
from ..errors import InvalidKeyError
from ..plurals import count
from ..store import Lake, collect
from ..tasks import Event, Refusal, TaskState, TaskStates, status
from .claims import Selection
from .network_members import network_transformations, require_networks
from .new_tasks import create_tasks, ensure_tasks
from .unwanted_tasks import freed_attempts, release_events, stop_attempts

__all__ = [
    "TaskOutcome",
    "action_tasks",
    "cancel_tasks",
    "cancelled_tasks",
    "create_tasks",
    "ensure_tasks",
    "failed_since",
    "network_transformations",
    "set_tasks_priority",
    "set_tasks_status",
    "set_tasks_weight",
    "tasks_in_error",
]

#: Returns the event for one Task, or a refusal; called with the networks it is actioned on.
Transition = Callable[[TaskState, Mapping[str, float]], Event | Refusal]


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """Outcome for one Task of a call.

    Attributes
    ----------
    task : str
        ScopedKey.
    ok : bool
        Whether the Task now has the requested state (even if it had it before).
    reason : str or None
        Why not, or that nothing had to be done.
    """

    task: str
    ok: bool
    reason: str | None = None


def action_tasks(
    lake: Lake,
    tasks: Sequence[str],
    network: str,
    *,
    weight: float | Sequence[float] | None = None,
    caller: Caller,
    reason: str | None = None,
) -> list[TaskOutcome]:
    """Action Tasks on a network, so that they can be claimed.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys of the Tasks.
    network : str
        ScopedKey of the network.
    weight : float or sequence of float, optional
        In [0, 1]; one for all or one per Task. Default: 0.5 for new actions, unchanged for existing ones.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.
    """
    caller.require_for("write", [network])
    members = set(network_transformations(lake, network))
    weights = _per_task(weight, tasks)

    def one(state: TaskState, networks: Mapping[str, float]) -> Event | Refusal:
        if state.transformation not in members:
            return Refusal(state.task, f"its Transformation is not part of {network}")
        return status.action(state, network, weights[state.task], networks.get(network), reason)

    return _decide_each(lake, tasks, one, caller)


def cancel_tasks(
    lake: Lake, tasks: Sequence[str], network: str, *, caller: Caller, reason: str | None = None
) -> list[TaskOutcome]:
    """Cancel Tasks on a network, so that they are no longer claimed there.

    Their status is kept, except for running Tasks that are actioned on no other active network: these are released in
    the same commit, and their workers are asked to stop.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys of the Tasks.
    network : str
        ScopedKey of the network.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.
    """
    caller.require_for("write", [network])
    require_networks(lake, [network])

    def release(states: TaskStates, events: Sequence[Event]) -> list[Event]:
        cancelled = [event.after.task for event in events]
        return release_events(states, lake.network_log.states(), cancelled=cancelled, network=network, reason=reason)

    return _decide_each(
        lake,
        tasks,
        lambda state, on: status.cancel(state, network, on.get(network), reason=reason),
        caller,
        then=release,
    )


def set_tasks_weight(
    lake: Lake,
    tasks: Sequence[str],
    network: str,
    weight: float | Sequence[float],
    *,
    caller: Caller,
    reason: str | None = None,
) -> list[TaskOutcome]:
    """Change the weights of existing actions; 0 keeps the action but gets no compute.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys of the Tasks.
    network : str
        ScopedKey of the network.
    weight : float or sequence of float
        One weight for all, or one for each Task; within [0, 1].
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.
    """
    weights = _per_task(weight, tasks)

    def one(state: TaskState, networks: Mapping[str, float]) -> Event | Refusal:
        new = weights[state.task]
        assert new is not None
        return status.set_weight(state, network, new, networks.get(network), reason)

    return _decide_each(lake, tasks, one, caller)


def set_tasks_priority(
    lake: Lake, tasks: Sequence[str], priority: int | Sequence[int], *, caller: Caller, reason: str | None = None
) -> list[TaskOutcome]:
    """Change priorities; the lower number is claimed first.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys of the Tasks.
    priority : int or sequence of int
        One for all, or one per Task; the lower number is claimed first.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.
    """
    chosen = dict(zip(tasks, priority if isinstance(priority, Sequence) else [priority] * len(tasks), strict=True))
    return _decide_each(lake, tasks, lambda state, _: status.set_priority(state, chosen[state.task], reason), caller)


def set_tasks_status(
    lake: Lake, tasks: Sequence[str], to: str, *, caller: Caller, reason: str | None = None
) -> list[TaskOutcome]:
    """Set Tasks `waiting`, `invalid` or `deleted`; the last two also for every Task that extends them.

    Workers that run one of them are asked to stop.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys of the Tasks.
    to : str
        The new status.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    reason : str, optional
        Free text, recorded in the log.
    """
    caller.require_for("write", tasks)
    outcomes: dict[str, TaskOutcome] = {}

    def decide(states: TaskStates) -> list[Event]:
        outcomes.clear()
        known = states.of(tasks)
        heirs = states.extending(tasks) if to in ("invalid", "deleted") else {}
        events = []
        for task in dict.fromkeys([*tasks, *heirs]):
            state = known.get(task) or heirs.get(task)
            done = _missing(task) if state is None else status.set_status(state, to, reason)
            if isinstance(done, Event):
                events.append(done)
            if task in known or task not in heirs:
                outcomes[task] = _outcome(task, done)
        return events

    landed = lake.task_log.commit(decide, caller=caller)
    stop_attempts(lake, freed_attempts(landed.events))
    return [outcomes[task] for task in tasks]


def tasks_in_error(lake: Lake, network: str) -> int:
    """Count the Tasks in error of a network's Transformations.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    states = lake.task_log.states().tasks
    members = network_transformations(lake, network)
    return len(states.filter((pl.col("status") == "error") & pl.col("transformation").is_in(members)))


def cancelled_tasks(lake: Lake, network: str) -> int:
    """Count the waiting Tasks that were cancelled on a network, so that nothing claims them for it.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    states = lake.task_log.states()
    return len(states.cancelled_on(network) & set(states.with_status("waiting")["task"]))


def failed_since(lake: Lake, selection: Selection, seq: int) -> int:
    """Count the Tasks of a selection that went into error after a commit of the log, and still are.

    Parameters
    ----------
    lake : Lake
    selection : Selection
        Tasks to consider; by default, all of the lake.
    seq : int
        Number of the commit.
    """
    states = lake.task_log.states()
    rows = selection.tasks(states).filter(pl.col("status") == "error")
    log = lake.table("task_log").scan().filter((pl.col("seq") > seq) & (pl.col("event") == "failed"))
    failed = collect(log.select("task"), "failed Tasks")
    return len(rows.join(failed, on="task", how="semi"))


def _per_task(weight: float | Sequence[float] | None, tasks: Sequence[str]) -> dict[str, float | None]:
    if weight is None or isinstance(weight, (int, float)):
        return dict.fromkeys(tasks, weight)
    if len(weight) != len(tasks):
        raise InvalidKeyError(
            f"{count(len(tasks), 'Task')} but {count(len(weight), 'weight')}; give one weight, or one per Task"
        )
    return dict(zip(tasks, weight, strict=True))


def _decide_each(
    lake: Lake,
    tasks: Sequence[str],
    one: Transition,
    caller: Caller,
    *,
    then: Callable[[TaskStates, Sequence[Event]], Sequence[Event]] | None = None,
) -> list[TaskOutcome]:
    """Commit the events of `one` for each Task, and of `then` for their consequences."""
    caller.require_for("write", tasks)
    outcomes: dict[str, TaskOutcome] = {}

    def decide(states: TaskStates) -> list[Event]:
        known, networks = states.of(tasks), states.networks_of(tasks)
        events = []
        for task in dict.fromkeys(tasks):
            done = one(known[task], networks[task]) if task in known else _missing(task)
            outcomes[task] = _outcome(task, done)
            events += [done] if isinstance(done, Event) else []
        return [*events, *then(states, events)] if then is not None and events else events

    landed = lake.task_log.commit(decide, caller=caller)
    stop_attempts(lake, freed_attempts(landed.events))
    return [outcomes[task] for task in tasks]


def _missing(task: str) -> Refusal:
    return Refusal(task, "the lake has no such Task")


def _outcome(task: str, done: Event | Refusal) -> TaskOutcome:
    if isinstance(done, Event):
        return TaskOutcome(task, True)
    return TaskOutcome(task, done.harmless, done.reason)
