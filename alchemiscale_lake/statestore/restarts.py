"""Restart policies of networks: patterns set by users, and the Tasks in error they restart or cancel.

The rules are in `tasks.restarts`. This module collects their inputs and logs every decision as an event in the task
log with the pattern and the reason; restarts by a pattern are counted from those events, since the Task was last
cancelled on the network and the pattern was last added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from ..caller import Caller
from ..faults import fault_point
from ..store import Lake
from ..tasks import Event, TaskState, TaskStates, status
from ..tasks.restart_policy import RestartPattern, Verdict, check_patterns, judge
from .failure_history import read_failure_histories, read_tracebacks
from .network_members import require_networks

__all__ = [
    "RestartDecision",
    "add_task_restart_patterns",
    "clear_task_restart_patterns",
    "get_task_restart_patterns",
    "remove_task_restart_patterns",
    "resolve_restarts",
    "set_task_restart_patterns_allowed_restarts",
]

_Patterns = Mapping[str, Mapping[str, RestartPattern]]


@dataclass(frozen=True, slots=True)
class RestartDecision:
    """Decision on a Task in error on one network.

    Parameters
    ----------
    task, network : str
        ScopedKeys.
    kind : {"restarted", "cancelled"}
    pattern : str or None
        Pattern that decided; None if none matched.
    reason : str
        Human-readable reason.
    """

    task: str
    network: str
    kind: Literal["restarted", "cancelled"]
    pattern: str | None
    reason: str


def add_task_restart_patterns(
    lake: Lake, network: str, patterns: Collection[str], num_allowed_restarts: int, *, caller: Caller
) -> list[RestartDecision]:
    """Add restart patterns to a network, and apply its patterns immediately to its Tasks in error.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    patterns : collection of str
        Regular expressions for the tracebacks of failed results. An existing pattern gets the new number, and its
        count restarts at zero.
    num_allowed_restarts : int
        Restarts allowed per Task and pattern.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.

    Returns
    -------
    list of RestartDecision
        Decisions on Tasks that were in error.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    SettingsError
        If a pattern is empty or not a regular expression, or the number is below 1. Nothing is written.
    """
    patterns = _several(patterns)
    check_patterns(patterns, num_allowed_restarts)
    caller.require_for("write", [network])
    require_networks(lake, [network])
    lake.network_log.add_patterns(network, patterns, num_allowed_restarts, caller=caller)
    fault_point("restarts:before-resolve")
    actions = lake.task_log.states().live_actions()
    return resolve_restarts(lake, actions.filter(pl.col("network") == network)["task"].to_list(), caller=caller)


def set_task_restart_patterns_allowed_restarts(
    lake: Lake, network: str, patterns: Collection[str], num_allowed_restarts: int, *, caller: Caller
) -> list[str]:
    """Change the number of allowed restarts of patterns; counts are kept.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    patterns : collection of str
        Regular expressions, exactly as they were added.
    num_allowed_restarts : int
        Restarts per Task, at least 1.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.

    Returns
    -------
    list of str
        Patterns that changed; patterns that the network does not have are ignored.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    SettingsError
        If the number is below 1.
    """
    check_patterns((), num_allowed_restarts)
    caller.require_for("write", [network])
    require_networks(lake, [network])
    return lake.network_log.change_patterns(network, _several(patterns), num_allowed_restarts, caller=caller)


def remove_task_restart_patterns(lake: Lake, network: str, patterns: Collection[str], *, caller: Caller) -> list[str]:
    """Remove restart patterns from a network.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    patterns : collection of str
        Regular expressions, exactly as they were added.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.

    Returns
    -------
    list of str
        Patterns that were removed; patterns that the network does not have are ignored.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    caller.require_for("write", [network])
    require_networks(lake, [network])
    return lake.network_log.change_patterns(network, _several(patterns), None, caller=caller)


def clear_task_restart_patterns(lake: Lake, network: str, *, caller: Caller) -> list[str]:
    """Remove all restart patterns of a network, and return them.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    caller.require_for("write", [network])
    require_networks(lake, [network])
    return lake.network_log.change_patterns(network, None, None, caller=caller)


def get_task_restart_patterns(lake: Lake, network: str) -> dict[str, int]:
    """Return the restart patterns of a network with their allowed restarts per Task.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    require_networks(lake, [network])
    own = lake.network_log.restart_patterns().get(network, {})
    return {pattern: own[pattern].max_retries for pattern in sorted(own)}


def resolve_restarts(lake: Lake, tasks: Collection[str] | None, *, caller: Caller) -> list[RestartDecision]:
    """Restart or cancel Tasks in error, by the patterns of the networks on which they are actioned.

    Parameters
    ----------
    lake : Lake
    tasks : collection of str or None
        Tasks that just failed; None for all. Tasks not in error, and those on no network with patterns, are ignored.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.

    Returns
    -------
    list of RestartDecision
        One per pattern that restarted a Task, and one per network on which a Task was cancelled.
    """
    patterns = _deciding(lake)
    if not patterns or (tasks is not None and not len(tasks)):
        return []
    texts: dict[str, list[str]] = {}
    made: list[RestartDecision] = []

    def decide(states: TaskStates) -> list[Event]:
        made.clear()
        actions = _errored(states, patterns, tasks)
        if not len(actions):
            return []
        # read here: if the log has grown past `states` meanwhile, the commit fails anyway
        known = states.of(actions["task"].unique().to_list())
        history = read_failure_histories(lake, known.values())
        texts.update(read_tracebacks(lake, set(history.attempts.values()) - set(texts), known.values()))
        events = []
        for task, network, weight in actions.iter_rows():
            attempt = history.attempts.get(task)
            counts = history.restarts.get((task, network), Counter())
            restarts = {pattern: counts[pattern, own.seq] for pattern, own in patterns[network].items()}
            for verdict in judge(patterns[network], restarts, texts.get(attempt or "", [])):
                made.append(RestartDecision(task, network, verdict.kind, verdict.pattern, verdict.reason))
                events.append(_event(known[task], network, weight, attempt, verdict, patterns[network]))
        # the last event of a Task determines its state, so restarts come last
        return sorted(events, key=lambda event: event.kind == "restarted")

    landed = lake.task_log.commit(decide, caller=caller)
    return made if landed.events else []


def _deciding(lake: Lake) -> _Patterns:
    """Return the patterns of the networks that may decide: not those of invalid or deleted networks."""
    standing = lake.network_log.restart_patterns()
    if not standing:
        return {}
    decided = lake.network_log.states()
    silent = {network for network, own in decided.items() if own.state in ("invalid", "deleted")}
    return {network: own for network, own in standing.items() if network not in silent}


def _errored(states: TaskStates, patterns: _Patterns, tasks: Collection[str] | None) -> pl.DataFrame:
    """Return actions (task, network, weight) of Tasks in error on networks with patterns."""
    errored = states.with_status("error").select("task")
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
    """Convert a single pattern to a list of one, rather than a list of its letters."""
    return [patterns] if isinstance(patterns, str) else list(patterns)
