"""How Tasks are doing and why they failed: attempts, progress, output, causes. Frames travel as Arrow IPC streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from ...caller import Caller
from ...errors import NotFoundError
from ...execution.capture import STREAMS
from ...ids import Scope, ScopedKey
from ...query import ask, group_failures
from ...statestore import package_use, stalled_tasks, task_attempts, task_story, unit_output
from ...statestore.network_members import require_networks
from ...statestore.status_changes import status_changes
from ...store import Lake
from ._rows import connection_for, list_scopes, members_of, readable, require_rows, rows_of, stream_of

__all__ = [
    "attempt_output",
    "failure_causes",
    "packages",
    "stalled",
    "story",
    "task_tracebacks",
    "tasks_details",
    "tasks_history",
    "tasks_progress",
]

_UNIT: Final = ("attempt", "unit", "name", "try_number", "exception", "traceback", "started_at", "ended_at", "scope")


def tasks_history(lake: Lake, caller: Caller, *, tasks: Sequence[str], limit: int | None = None) -> bytes:
    """Return the attempts at Tasks, newest first, as the named query `attempts` and heartbeats have them.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    limit : int, optional
        Most attempts per Task.
    """
    _require(lake, caller, tasks)
    rows = task_attempts.task_attempts(lake, tasks).sort("attempt_number", descending=True)
    return stream_of(rows if limit is None else rows.group_by("task", maintain_order=True).head(limit))


def tasks_progress(lake: Lake, caller: Caller, *, tasks: Sequence[str]) -> list[list[int] | None]:
    """Return finished and all ProtocolUnits of each Task; None if unknown.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    """
    caller.require_for("read", tasks)
    return [None if one is None else list(one) for one in task_attempts.tasks_progress(lake, tasks)]


def tasks_details(lake: Lake, caller: Caller, *, tasks: Sequence[str]) -> list[dict[str, Any] | None]:
    """Return state and its reason, creation, actions and newest attempt of Tasks; None for one that the lake lacks.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    """
    caller.require_for("read", tasks)
    states = lake.task_log.states()
    known, networks = states.of(tasks), states.networks_of(tasks)
    created = rows_of(lake, "tasks", pl.col("task").is_in(list(tasks)), ["task", "creator", "created_at"])
    facts = {row["task"]: row for row in created.to_dicts()}
    attempts = task_attempts.task_attempts(lake, list(known)) if known else pl.DataFrame()
    newest = {row["task"]: _plain(row) for row in attempts.to_dicts()}
    changes = {row["task"]: _plain(row) for row in status_changes(lake, list(known)).to_dicts()}
    return [
        None
        if (state := known.get(task)) is None
        else {
            "task": task,
            "status": state.status,
            "priority": state.priority,
            "transformation": state.transformation,
            "extends": state.extends,
            **_plain({name: facts.get(task, {}).get(name) for name in ("creator", "created_at")}),
            "networks": dict(sorted(networks.get(task, {}).items())),
            "status_changed_at": changes.get(task, {}).get("at"),
            "reason": changes.get(task, {}).get("reason"),
            "n_attempts": newest.get(task, {}).get("attempt_number", 0),
            "last_attempt": newest.get(task),
        }
        for task in tasks
    ]


def task_tracebacks(lake: Lake, caller: Caller, *, task: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the failed executions of a Task's failed attempts, newest first.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    limit : int, optional
        Most attempts.
    """
    _require(lake, caller, [task])
    attempts = task_attempts.task_attempts(lake, [task]).filter(pl.col("outcome") != "complete")
    newest = attempts["attempt"].reverse().to_list()[:limit]
    scope = ScopedKey.from_str(task).scope
    chosen = (pl.col("scope") == str(scope)) & pl.col("attempt").is_in(newest) & ~pl.col("ok")
    units = rows_of(lake, "unit_results", chosen, _UNIT).sort("ended_at", "try_number", descending=True).to_dicts()
    found = [_plain(row) for attempt in newest for row in units if row["attempt"] == attempt]
    without = [row for row in attempts.to_dicts() if row["attempt"] in newest and row["outcome"] == "error"]
    named = {row["attempt"] for row in found}
    return found + [
        {"attempt": row["attempt"], "unit": None, "name": row["failed_unit"], "exception": row["reason"]}
        for row in without
        if row["attempt"] not in named
    ]


def attempt_output(
    lake: Lake,
    caller: Caller,
    *,
    task: str,
    attempt: str | None = None,
    unit: str | None = None,
    streams: Sequence[str] = STREAMS,
) -> list[dict[str, Any]]:
    """Return stdout, stderr and log of the executions of an attempt, in the order in which they ran.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey, its beginning, a name such as `tyk2_a_b-r0`, or the id of an attempt.
    attempt : str, optional
        The newest one that has run by default.
    unit : str, optional
        Only this unit.
    streams : sequence of str
        Of `stdout`, `stderr` and `log`.
    """
    unknown = sorted(set(streams) - set(STREAMS))
    if unknown:
        raise NotFoundError(f"there is no stream {', '.join(unknown)}; there are {', '.join(STREAMS)}")
    # only among what the caller may read, so that no message names anything else
    scopes = None if caller.may("read", Scope()) else list_scopes(lake, caller)
    found, named = task_attempts.find_task(lake, task, scopes=scopes)
    _require(lake, caller, [found])
    outputs = unit_output.attempt_output(lake, found, attempt or named, unit=unit, streams=streams)  # type: ignore[arg-type]
    names = ("attempt", "unit", "name", "try_number", "ok", "exception", "traceback", "started_at")
    return [_plain({name: getattr(one, name) for name in names}) | {"streams": dict(one.streams)} for one in outputs]


def failure_causes(
    lake: Lake, caller: Caller, *, network: str | None = None, scope: str | None = None, everything: bool = False
) -> bytes:
    """Return failures grouped by cause, see `query.group_failures`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str, optional
        ScopedKey.
    scope : str, optional
        A Scope or a pattern.
    everything : bool, default False
        Also failures of Tasks that are complete, invalid or deleted now.
    """
    failures = ask(connection_for(lake, caller, "failures"), "failures", scope=scope)
    if network is not None:
        caller.require_for("read", [network])
        require_networks(lake, [network])
        failures = failures.filter(pl.col("transformation").is_in(members_of(lake, network, "transformation")))
    if not everything:
        failures = failures.filter(pl.col("task_status").is_in(["waiting", "running", "error"]))
    return stream_of(group_failures(failures))


def stalled(lake: Lake, caller: Caller, *, scope: str | None = None, quiet_s: float = stalled_tasks.QUIET_S) -> bytes:
    """Return Tasks that make no progress, see `statestore.stalled_tasks`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    scope : str, optional
        A Scope or a pattern.
    quiet_s : float
        Time without progress after which a running Task counts, s.
    """
    found = stalled_tasks.stalled_tasks(lake, scope, quiet_s=quiet_s)
    return stream_of(found.filter(pl.col("task").is_in(readable(caller, found["task"]))))


def packages(
    lake: Lake,
    caller: Caller,
    *,
    network: str | None = None,
    scope: str | None = None,
    package: str | None = None,
) -> bytes:
    """Return which package versions computed results.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    network : str, optional
        ScopedKey.
    scope : str, optional
        A Scope or a pattern that the caller may read; with a network, not needed.
    package : str, optional
        Only this package.
    """
    if network is None:
        caller.require("read", [scope or "*-*-*"])
    else:
        caller.require_for("read", [network])
        require_networks(lake, [network])
    return stream_of(package_use.package_versions(lake, scope=scope, network=network, package=package))


def story(lake: Lake, caller: Caller, *, task: str) -> dict[str, Any]:
    """Return everything about a Task, see `statestore.task_story`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    """
    caller.require_for("read", [task])
    told = task_story.task_story(lake, task)
    lists = ("events", "attempts", "results", "files")
    return {
        "task": told.state.task,
        "status": told.state.status,
        "priority": told.state.priority,
        "transformation": told.state.transformation,
        "extends": told.state.extends,
        "name": told.name,
        "creator": told.creator,
        "origin": told.origin,
        "extended_by": told.extended_by,
        "networks": told.networks,
        **_plain({"created_at": told.created_at}),
        "quarantined": _plain(told.quarantined),
        **{name: [_plain(row) for row in getattr(told, name)] for name in lists},
    }


def _require(lake: Lake, caller: Caller, tasks: Sequence[str]) -> None:
    caller.require_for("read", tasks)
    rows = lake.task_log.states().tasks.filter(pl.col("task").is_in(list(tasks)))
    require_rows(rows, "task", tasks, "Task")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with times as text."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
