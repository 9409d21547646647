"""What users do to Tasks: create, action, cancel, weigh, prioritise, set their status.

Every call is one commit to the task log, however many Tasks it names, and answers for each Task
in the order given: done, or refused and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from ..errors import InvalidKeyError, InvalidTransitionError, NotFoundError
from ..faults import fault_point
from ..ids import ScopedKey, new_task_key
from ..store import Lake, now_utc
from ..tasks import Event, Refusal, TaskState, TaskStates, status

__all__ = [
    "TaskOutcome",
    "action_tasks",
    "cancel_tasks",
    "create_tasks",
    "ensure_tasks",
    "network_transformations",
    "set_tasks_priority",
    "set_tasks_status",
    "set_tasks_weight",
]

#: Answers with the event for one Task, or why there is none; told the networks it is actioned on.
Decision = Callable[[TaskState, Mapping[str, float]], Event | Refusal]


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What became of one Task of a call.

    Attributes
    ----------
    task : str
        ScopedKey.
    ok : bool
        Whether the Task now is as asked (also if it was so before).
    reason : str or None
        Why not, or that nothing had to be done.
    """

    task: str
    ok: bool
    reason: str | None = None


def create_tasks(
    lake: Lake,
    transformations: Sequence[str],
    *,
    extends: Sequence[str | None] | str | None = None,
    creator: str,
    priority: int = 10,
) -> list[str]:
    """Create one Task for every key given; name a Transformation several times for several Tasks.

    Creating does not action: see `action_tasks`.

    Parameters
    ----------
    transformations : sequence of str
        ScopedKeys.
    extends : str, sequence of str or None, optional
        The Task each new one continues: one for all, or one per Transformation.

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
        raise InvalidKeyError(f"{len(transformations)} Transformations but {len(parents)} Tasks to extend")
    _require_transformations(lake, transformations)
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
                f"{len(refused)} of {len(new)} Tasks cannot be created: {refused[0].reason}; nothing was created",
                reasons=[r.reason for r in refused],
            )
        return [m for m in made if isinstance(m, Event)]

    decide(lake.task_log.states())  # refuse before anything is written
    _store_tasks(lake, new, creator)
    lake.task_log.commit(decide, actor=creator)
    return [task.task for task in new]


def ensure_tasks(
    lake: Lake, network: str, per_transformation: int, *, creator: str, priority: int = 10, weight: float | None = None
) -> list[str]:
    """See to it that every Transformation of a network has so many Tasks, actioned there.

    Tasks in any status but invalid and deleted count, so that calling again changes nothing.
    Creating and actioning is one commit.

    Returns
    -------
    list of str
        ScopedKeys of the Tasks that were created.
    """
    transformations = network_transformations(lake, network)
    have = _live_tasks(lake.task_log.states(), transformations)
    spare = {t: [_new_task(t, None, priority) for _ in range(per_transformation - have[t])] for t in transformations}
    _store_tasks(lake, [task for tasks in spare.values() for task in tasks], creator)
    created: list[str] = []

    def decide(states: TaskStates) -> list[Event]:
        created.clear()
        have = _live_tasks(states, transformations)
        events: list[Event] = []
        standing = states.tasks.filter(pl.col("transformation").is_in(transformations))["task"].to_list()
        actioned = states.networks_of(standing)
        for task in states.of(standing).values():
            done = status.action(task, network, weight, actioned[task.task].get(network))
            events += [done] if isinstance(done, Event) else []
        for transformation, tasks in spare.items():
            for task in tasks[: max(0, per_transformation - have[transformation])]:
                first = status.create(task, None)
                second = status.action(task, network, weight, None)
                events += [e for e in (first, second) if isinstance(e, Event)]
                created.append(task.task)
        return events

    lake.task_log.commit(decide, actor=creator)
    return created


def action_tasks(
    lake: Lake, tasks: Sequence[str], network: str, *, weight: float | Sequence[float] | None = None, actor: str
) -> list[TaskOutcome]:
    """Action Tasks on a network, so that they may be claimed.

    Parameters
    ----------
    weight : float or sequence of float, optional
        In [0, 1]; one for all or one per Task. Without it new actions get 0.5, standing ones stay.
    """
    members = set(network_transformations(lake, network))
    weights = _per_task(weight, tasks)

    def one(state: TaskState, networks: Mapping[str, float]) -> Event | Refusal:
        if state.transformation not in members:
            return Refusal(state.task, f"its Transformation is not part of {network}")
        return status.action(state, network, weights[state.task], networks.get(network))

    return _decide_each(lake, tasks, one, actor)


def cancel_tasks(lake: Lake, tasks: Sequence[str], network: str, *, actor: str) -> list[TaskOutcome]:
    """Take Tasks off a network. Their status stays; nobody claims them there any more."""
    _require_network(lake, network)
    return _decide_each(lake, tasks, lambda state, on: status.cancel(state, network, on.get(network)), actor)


def set_tasks_weight(
    lake: Lake, tasks: Sequence[str], network: str, weight: float | Sequence[float], *, actor: str
) -> list[TaskOutcome]:
    """Change the weights of standing actions; 0 keeps the action but gets no compute."""
    weights = _per_task(weight, tasks)

    def one(state: TaskState, networks: Mapping[str, float]) -> Event | Refusal:
        new = weights[state.task]
        assert new is not None
        return status.set_weight(state, network, new, networks.get(network))

    return _decide_each(lake, tasks, one, actor)


def set_tasks_priority(lake: Lake, tasks: Sequence[str], priority: int, *, actor: str) -> list[TaskOutcome]:
    """Change priorities; the lower number is claimed first."""
    return _decide_each(lake, tasks, lambda state, _: status.set_priority(state, priority), actor)


def set_tasks_status(
    lake: Lake, tasks: Sequence[str], to: str, *, actor: str, reason: str | None = None
) -> list[TaskOutcome]:
    """Set Tasks `waiting`, `invalid` or `deleted`; the last two also every Task that extends them."""
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

    lake.task_log.commit(decide, actor=actor)
    return [outcomes[task] for task in tasks]


def network_transformations(lake: Lake, network: str) -> list[str]:
    """ScopedKeys of a network's Transformations, sorted.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    scope = _require_network(lake, network)
    members = (
        lake.table("network_members")
        .scan()
        .filter((pl.col("scope") == scope) & (pl.col("network") == network) & (pl.col("kind") == "transformation"))
    )
    return sorted(members.select("member").collect()["member"].to_list())


def _require_network(lake: Lake, network: str) -> str:
    scope = str(ScopedKey.from_str(network).scope)
    rows = lake.table("networks").scan().filter((pl.col("scope") == scope) & (pl.col("network") == network))
    if not len(rows.select("network").head(1).collect()):
        raise NotFoundError(f"the lake holds no network {network}; see `alchemiscale-lake status`", network=network)
    return scope


def _require_transformations(lake: Lake, transformations: Iterable[str]) -> None:
    wanted = set(transformations)
    scopes = {str(ScopedKey.from_str(t).scope) for t in wanted}
    rows = lake.table("transformations").scan().filter(pl.col("scope").is_in(list(scopes)))
    missing = sorted(wanted - set(rows.select("transformation").collect()["transformation"]))
    if missing:
        raise NotFoundError(
            f"{len(missing)} Transformation(s) are not in the lake, such as {missing[0]}; submit their network first",
            missing=missing,
        )


def _new_task(transformation: str, extends: str | None, priority: int) -> TaskState:
    scope = _scope_of(transformation)
    return TaskState(scope, new_task_key(scope), transformation, extends, priority=priority)


@lru_cache(maxsize=4096)
def _scope_of(key: str) -> str:
    return str(ScopedKey.from_str(key).scope)


def _store_tasks(lake: Lake, tasks: Sequence[TaskState], creator: str) -> None:
    created_at = now_utc()
    columns = ("scope", "task", "transformation", "extends")
    rows = [{**{c: getattr(t, c) for c in columns}, "creator": creator, "created_at": created_at} for t in tasks]
    lake.table("tasks").append_new(rows)
    # a Task shows once its `created` event is in the log; a row without one is never seen
    fault_point("tasks:before-event")


def _live_tasks(states: TaskStates, transformations: Sequence[str]) -> Counter[str]:
    live = states.tasks.filter(
        pl.col("transformation").is_in(list(transformations)) & ~pl.col("status").is_in(["invalid", "deleted"])
    )
    return Counter(live["transformation"].to_list())


def _per_task(weight: float | Sequence[float] | None, tasks: Sequence[str]) -> dict[str, float | None]:
    if weight is None or isinstance(weight, (int, float)):
        return dict.fromkeys(tasks, weight)
    if len(weight) != len(tasks):
        raise InvalidKeyError(f"{len(tasks)} Tasks but {len(weight)} weights; give one weight, or one per Task")
    return dict(zip(tasks, weight, strict=True))


def _decide_each(lake: Lake, tasks: Sequence[str], one: Decision, actor: str) -> list[TaskOutcome]:
    outcomes: dict[str, TaskOutcome] = {}

    def decide(states: TaskStates) -> list[Event]:
        known, networks = states.of(tasks), states.networks_of(tasks)
        events = []
        for task in dict.fromkeys(tasks):
            done = one(known[task], networks[task]) if task in known else _missing(task)
            outcomes[task] = _outcome(task, done)
            events += [done] if isinstance(done, Event) else []
        return events

    lake.task_log.commit(decide, actor=actor)
    return [outcomes[task] for task in tasks]


def _missing(task: str) -> Refusal:
    return Refusal(task, "the lake holds no such Task")


def _outcome(task: str, done: Event | Refusal) -> TaskOutcome:
    if isinstance(done, Event):
        return TaskOutcome(task, True)
    return TaskOutcome(task, done.harmless, done.reason)
