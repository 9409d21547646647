"""Tasks that make no progress, and why: those that run without a sign of it, and those that cannot come to run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from ..ids import Scope
from ..plurals import count, part
from ..store import Lake, collect, now_utc
from ..tasks import TaskState, TaskStates
from .attempt_endings import count_endings
from .task_attempts import beats_of
from .task_names import TaskNames

__all__ = ["QUIET_S", "stalled_tasks"]

#: Time without progress after which a running Task is named.
QUIET_S: Final = 1800.0
#: A heartbeat is written twice a minute.
_SILENT_S: Final = 300.0
#: Number of attempts without a result after which a waiting Task is named.
_ENDINGS: Final = 3
_SCHEMA: Final[dict[str, Any]] = {
    "task": pl.String,
    "name": pl.String,
    "status": pl.String,
    "why": pl.String,
    "since": pl.Datetime("us", "UTC"),
    "hostname": pl.String,
    "queue_job": pl.String,
    "pool": pl.String,
    "attempt": pl.String,
    "transformation": pl.String,
}


def stalled_tasks(
    lake: Lake,
    scope: Scope | str | None = None,
    *,
    quiet_s: float = QUIET_S,
    transformations: Collection[str] | None = None,
) -> pl.DataFrame:
    """Return Tasks that make no progress, those without it for longest first.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, optional
        A Scope or a pattern; all by default.
    quiet_s : float
        Time without progress after which a running Task counts, s.
    transformations : collection of str, optional
        Only Tasks of these Transformations, by ScopedKey.

    Returns
    -------
    polars.DataFrame
        Columns task, name, status, why, since (null if unknown), hostname, queue_job, pool, attempt, transformation.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    states = lake.task_log.states()
    wanted = None if scope is None else Scope.parse(scope)
    chosen = states.with_status("running", "waiting")
    scopes = [s for s in chosen["scope"].unique() if wanted is None or wanted.is_superset(Scope.from_str(s))]
    chosen = chosen.filter(pl.col("scope").is_in(scopes))
    if transformations is not None:
        chosen = chosen.filter(pl.col("transformation").is_in(list(transformations)))
    if chosen.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    running = chosen.filter(pl.col("attempt").is_not_null())["task"].to_list()
    found = [*_running(lake, list(states.of(running).values()), quiet_s)]
    found += _waiting(lake, states, _doubtful(lake, chosen.filter(pl.col("attempt").is_null())))
    names = TaskNames(lake).of([state for state, _ in found])
    rows = [
        {
            "task": state.task,
            "name": names[state.task],
            "status": state.status,
            "pool": state.pool,
            "attempt": state.attempt,
            "transformation": state.transformation,
            **facts,
        }
        for state, facts in found
    ]
    return pl.DataFrame(rows, schema=_SCHEMA).sort("since", "task", nulls_last=True)


def _running(lake: Lake, running: list[TaskState], quiet_s: float) -> Iterator[tuple[TaskState, dict[str, Any]]]:
    beats = beats_of(lake, {str(state.attempt): state.scope for state in running})
    silent = [state for state in running if str(state.attempt) not in beats]
    claimed = _claimed_at(lake, [str(state.attempt) for state in silent])
    now, quiet = now_utc(), timedelta(seconds=quiet_s)
    for state in running:
        beat, said = beats.get(str(state.attempt)), dict[str, Any]()
        if beat is None:
            since = claimed.get(str(state.attempt))
            if since is not None and now - since > quiet:
                yield state, {"why": "claimed, and has not started", "since": since}
            continue
        said = {"hostname": beat.hostname, "queue_job": beat.queue_job}
        if now - beat.at > max(timedelta(seconds=_SILENT_S), quiet):
            yield state, said | {"why": "no heartbeat", "since": beat.at}
        elif now - beat.progress_at > quiet:
            units = f", {part(beat.units_done, beat.units_total, 'unit')} done" if beat.units_total else ""
            yield state, said | {"why": f"neither uses CPU time nor writes{units}", "since": beat.progress_at}


def _claimed_at(lake: Lake, attempts: list[str]) -> dict[str, datetime]:
    if not attempts:
        return {}
    log = lake.table("task_log").scan().filter((pl.col("event") == "claimed") & pl.col("of_attempt").is_in(attempts))
    return dict(collect(log.select("of_attempt", "at"), "claims of attempts").iter_rows())


def _doubtful(lake: Lake, waiting: pl.DataFrame) -> list[str]:
    """Return the waiting Tasks that extend others or were released often, so that few of a million are looked at."""
    log = lake.table("task_log").scan().filter(pl.col("event") == "released").select("task")
    often = collect(log, "the log of Tasks").group_by("task").len().filter(pl.col("len") >= _ENDINGS)
    released = pl.col("task").is_in(often["task"].implode())
    return waiting.filter(pl.col("extends").is_not_null() | released)["task"].to_list()


def _waiting(lake: Lake, states: TaskStates, tasks: list[str]) -> Iterator[tuple[TaskState, dict[str, Any]]]:
    waiting = list(states.of(tasks).values())
    parents = states.of({state.extends for state in waiting if state.extends is not None})
    endings = count_endings(lake, tasks)
    lost: dict[str, dict[str, int]] = {}
    for (task, kind), n in endings.items():
        lost.setdefault(task, {})[kind] = n
    for state in waiting:
        parent = parents.get(state.extends) if state.extends is not None else None
        kinds = lost.get(state.task, {})
        if parent is not None and parent.status in ("error", "invalid", "deleted"):
            yield state, {"why": f"extends {parent.task}, which is {parent.status}"}
        elif sum(kinds.values()) >= _ENDINGS:
            said = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items(), key=lambda one: (-one[1], one[0])))
            yield state, {"why": f"{count(sum(kinds.values()), 'attempt')} ended without a result: {said}"}
