"""Restart policies of networks: patterns set by users, and Tasks in error restarted or cancelled by them.

The rules are in `tasks.restarts`. Here the facts are gathered, and every decision becomes an event
in the task log with the pattern and the reason; how often a pattern restarted a Task is counted
from those events, since the Task was last cancelled on the network and the pattern was last added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from ..faults import fault_point
from ..store import Lake
from ..tasks import Event, TaskState, TaskStates, status
from ..tasks.restarts import RestartPattern, Verdict, check_patterns, judge
from .failure_history import read_failure_histories, read_tracebacks
from .membership import require_networks

__all__ = [
    "Decision",
    "add_task_restart_patterns",
    "clear_task_restart_patterns",
    "get_task_restart_patterns",
    "remove_task_restart_patterns",
    "resolve_restarts",
    "set_task_restart_patterns_allowed_restarts",
]

_Patterns = Mapping[str, Mapping[str, RestartPattern]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a Task in error on one network.

    Parameters
    ----------
    task, network : str
        ScopedKeys.
    kind : {"restarted", "cancelled"}
    pattern : str or None
        That decided it; None if none was found.
    reason : str
        For people.
    """

    task: str
    network: str
    kind: Literal["restarted", "cancelled"]
    pattern: str | None
    reason: str


def add_task_restart_patterns(
    lake: Lake, network: str, patterns: Collection[str], num_allowed_restarts: int, *, actor: str
) -> list[Decision]:
    """Add restart patterns to a network, and apply its patterns to its Tasks in error at once.

    Parameters
    ----------
    patterns : collection of str
        Regular expressions for the tracebacks of failed results. One that the network has already
        gets the new number, and counts from zero again.
    num_allowed_restarts : int
        Restarts that each pattern allows each Task.

    Returns
    -------
    list of Decision
        About Tasks that were in error.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    SettingsError
        If a pattern is empty or no regular expression, or the number is below 1. Nothing is written.
    """
    patterns = _several(patterns)
    check_patterns(patterns, num_allowed_restarts)
    require_networks(lake, [network])
    lake.network_log.add_patterns(network, patterns, num_allowed_restarts, actor=actor)
    fault_point("restarts:before-resolve")
    actions = lake.task_log.states().live_actions()
    return resolve_restarts(lake, actions.filter(pl.col("network") == network)["task"].to_list(), actor=actor)


def set_task_restart_patterns_allowed_restarts(
    lake: Lake, network: str, patterns: Collection[str], num_allowed_restarts: int, *, actor: str
) -> list[str]:
    """Change how many restarts patterns allow; counts stay.

    Returns
    -------
    list of str
        Patterns that changed; those that the network does not have are passed over.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    SettingsError
        If the number is below 1.
    """
    check_patterns((), num_allowed_restarts)
    require_networks(lake, [network])
    return lake.network_log.change_patterns(network, _several(patterns), num_allowed_restarts, actor=actor)


def remove_task_restart_patterns(lake: Lake, network: str, patterns: Collection[str], *, actor: str) -> list[str]:
    """Remove restart patterns from a network.

    Returns
    -------
    list of str
        Patterns that were removed; those that the network does not have are passed over.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    require_networks(lake, [network])
    return lake.network_log.change_patterns(network, _several(patterns), None, actor=actor)


def clear_task_restart_patterns(lake: Lake, network: str, *, actor: str) -> list[str]:
    """Remove all restart patterns of a network, and return them.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    require_networks(lake, [network])
    return lake.network_log.change_patterns(network, None, None, actor=actor)


def get_task_restart_patterns(lake: Lake, network: str) -> dict[str, int]:
    """Restart patterns of a network and how many restarts each allows a Task.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    require_networks(lake, [network])
    own = lake.network_log.restart_patterns().get(network, {})
    return {pattern: own[pattern].max_retries for pattern in sorted(own)}


def resolve_restarts(lake: Lake, tasks: Collection[str] | None, *, actor: str) -> list[Decision]:
    """Restart or cancel Tasks in error, as the patterns of the networks say that they are actioned on.

    Parameters
    ----------
    tasks : collection of str or None
        Those that just failed; None: all. Tasks not in error, and those on no network with patterns,
        are left alone.

    Returns
    -------
    list of Decision
        One per pattern that restarted a Task and per network that a Task was cancelled on.
    """
    patterns = _deciding(lake)
    if not patterns or (tasks is not None and not len(tasks)):
        return []
    texts: dict[str, list[str]] = {}
    made: list[Decision] = []

    def decide(states: TaskStates) -> list[Event]:
        made.clear()
        actions = _errored(states, patterns, tasks)
        if not len(actions):
            return []
        # read in here: a log that has grown past `states` meanwhile refuses the commit anyway
        known = states.of(actions["task"].unique().to_list())
        history = read_failure_histories(lake, known.values())
        texts.update(read_tracebacks(lake, set(history.attempts.values()) - set(texts), known.values()))
        events = []
        for task, network, weight in actions.iter_rows():
            attempt = history.attempts.get(task)
            counts = history.restarts.get((task, network), Counter())
            restarts = {pattern: counts[pattern, own.seq] for pattern, own in patterns[network].items()}
            for verdict in judge(patterns[network], restarts, texts.get(attempt or "", [])):
                made.append(Decision(task, network, verdict.kind, verdict.pattern, verdict.reason))
                events.append(_event(known[task], network, weight, attempt, verdict, patterns[network]))
        # the last event of a Task tells its state: whoever restarts it has the last word
        return sorted(events, key=lambda event: event.kind == "restarted")

    landed = lake.task_log.commit(decide, actor=actor)
    return made if landed.events else []


def _deciding(lake: Lake) -> _Patterns:
    """Patterns of the networks that have a say: those that are invalid or deleted have none."""
    standing = lake.network_log.restart_patterns()
    if not standing:
        return {}
    decided = lake.network_log.states()
    silent = {network for network, own in decided.items() if own.state in ("invalid", "deleted")}
    return {network: own for network, own in standing.items() if network not in silent}


def _errored(states: TaskStates, patterns: _Patterns, tasks: Collection[str] | None) -> pl.DataFrame:
    """Actions (task, network, weight) of Tasks in error on networks with patterns."""
    errored = states.tasks.filter(pl.col("status") == "error").select("task")
    if tasks is not None:
        errored = errored.join(pl.DataFrame({"task": list(tasks)}, schema={"task": pl.String}), on="task", how="semi")
    standing = states.actions.filter(pl.col("weight").is_not_null() & pl.col("network").is_in(list(patterns)))
    return standing.join(errored, on="task", how="semi").select("task", "network", "weight").sort("task", "network")


def _event(
    state: TaskState,
    network: str,
    weight: float,
    attempt: str | None,
    verdict: Verdict,
    patterns: Mapping[str, RestartPattern],
) -> Event:
    if verdict.kind == "restarted":
        assert verdict.pattern is not None
        done = status.restart(
            state,
            network,
            weight,
            of_attempt=attempt,
            reason=verdict.reason,
            pattern=verdict.pattern,
            pattern_seq=patterns[verdict.pattern].seq,
        )
    else:
        seq = patterns[verdict.pattern].seq if verdict.pattern is not None else None
        done = status.cancel(state, network, weight, reason=verdict.reason, pattern=verdict.pattern, pattern_seq=seq)
    assert isinstance(done, Event), done
    return done


def _several(patterns: Collection[str]) -> Sequence[str]:
    """Make one pattern given bare a list of one, not a list of its letters."""
    return [patterns] if isinstance(patterns, str) else list(patterns)
