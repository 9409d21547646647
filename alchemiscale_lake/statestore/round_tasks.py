"""Tasks of Strategy rounds: their keys follow from the round, so that asking again creates nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import polars as pl

from ..caller import Caller
from ..ids import ScopedKey
from ..store import Lake
from ..tasks import Event, TaskState, TaskStates, status
from .new_tasks import store_tasks

__all__ = ["ensure_round_tasks", "round_task_keys"]


def round_task_keys(network: str, round_: int, n_tasks: Mapping[str, int]) -> dict[str, str]:
    """Return the keys of the Tasks of a round, with their Transformations.

    Parameters
    ----------
    network : str
        ScopedKey of the network.
    round_ : int
        Number of the round.
    n_tasks : mapping of str to int
        Tasks by Transformation.

    Returns
    -------
    dict of str to str
        Transformation by Task, both as ScopedKeys.
    """
    scope = str(ScopedKey.from_str(network).scope)
    keys = {}
    for transformation, n in sorted(n_tasks.items()):
        for i in range(n):
            token = hashlib.sha256(f"{network}/{round_}/{transformation}/{i}".encode()).hexdigest()[:32]
            keys[f"Task-{token}-{scope}"] = transformation
    return keys


def ensure_round_tasks(
    lake: Lake, network: str, round_: int, n_tasks: Mapping[str, int], *, caller: Caller, priority: int = 10
) -> int:
    """Create and action the Tasks of a round that do not exist yet, in one commit; return their number.

    Tasks that exist are left as they are, whatever users did with them.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    round_ : int
        Number of the round.
    n_tasks : mapping of str to int
        Tasks by Transformation.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    priority : int, default 10
        The lower number is claimed first.
    """
    caller.require_for("write", [network])
    keys = round_task_keys(network, round_, n_tasks)
    missing = _missing(lake.task_log.states(), keys)
    if not missing:
        return 0
    scope = str(ScopedKey.from_str(network).scope)
    new = {task: TaskState(scope, task, keys[task], None, priority=priority) for task in missing}
    store_tasks(lake, list(new.values()), caller)

    def decide(states: TaskStates) -> list[Event]:
        events = []
        for task in _missing(states, keys):
            made = (status.create(new[task], None), status.action(new[task], network, None, None))
            events += [event for event in made if isinstance(event, Event)]
        return events

    return sum(event.kind == "created" for event in lake.task_log.commit(decide, caller=caller).events)


def _missing(states: TaskStates, keys: Mapping[str, str]) -> list[str]:
    asked = pl.DataFrame({"task": list(keys)}, schema={"task": pl.String})
    return asked.join(states.tasks.select("task"), on="task", how="anti")["task"].to_list()
