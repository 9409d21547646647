"""Attempts at Tasks: when, where and how far each ran. One query, and the heartbeats of those that are running."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import polars as pl

from ..errors import NotFoundError
from ..execution.heartbeat import Beat, read_beat
from ..ids import ScopedKey
from ..query import connect_for, read_sql
from ..store import Lake
from ..store.parallel_requests import at_once
from ..suggestions import closest, did_you_mean
from ..tasks import TaskState

__all__ = ["beats_of", "find_task", "task_attempts", "tasks_progress"]

_ATTEMPTS: Final = """
select *
from attempts
where
    scope in (select unnest($scopes))
    and task in (select unnest($tasks))
order by scope, task, attempt_number
"""
_UNITS_DONE: Final = """
select
    attempts.task,
    attempts.units_done,
    attempts.units_total
from attempts
where
    scope in (select unnest($scopes))
    and task in (select unnest($tasks))
qualify row_number() over (
    partition by scope, task
    order by outcome = 'complete' desc, outcome = 'running' desc, attempt_number desc
) = 1
"""
_SHORTEST: Final = 6


def task_attempts(lake: Lake, tasks: Collection[str]) -> pl.DataFrame:
    """Return the attempts at Tasks, oldest first, with what the heartbeats of running ones say.

    Parameters
    ----------
    lake : Lake
    tasks : collection of str
        ScopedKeys.

    Returns
    -------
    polars.DataFrame
        Columns of the named query `attempts`, and of heartbeats `last_heartbeat_at`, `last_progress_at`, `work`.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    rows = read_sql(connect_for(lake, "attempts"), _ATTEMPTS, _bound(tasks))
    running = rows.filter(pl.col("outcome") == "running")
    beats = beats_of(lake, dict(running.select("attempt", "scope").iter_rows()))
    return _with_beats(rows, beats)


def tasks_progress(lake: Lake, tasks: Sequence[str]) -> list[tuple[int, int] | None]:
    """Return finished and all ProtocolUnits of each Task, of its good or newest attempt; None if unknown.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys.
    """
    held = {state.task: state for state in _running(lake, tasks)}
    beats = beats_of(lake, {str(state.attempt): state.scope for state in held.values()})
    rows = read_sql(connect_for(lake, "attempts"), _UNITS_DONE, _bound(tasks))
    known = {task: (done or 0, total) for task, done, total in rows.iter_rows() if total is not None}
    found: list[tuple[int, int] | None] = []
    for task in tasks:
        beat = beats.get(str(held[task].attempt)) if task in held else None
        if beat is not None and beat.units_total:
            found.append((beat.units_done, beat.units_total))
        else:
            found.append(known.get(task) if task not in held else None)
    return found


def _running(lake: Lake, tasks: Collection[str]) -> list[TaskState]:
    """Return the states of those of these Tasks that run."""
    states = lake.task_log.states().of(tasks)
    return [state for state in states.values() if state.attempt is not None]


def beats_of(lake: Lake, attempts: Mapping[str, str]) -> dict[str, Beat]:
    """Return the last heartbeats of attempts (attempt -> Scope) that have one.

    Parameters
    ----------
    lake : Lake
    attempts : mapping of str to str
        Scope by identifier of the attempt.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    named = list(attempts.items())
    beats = at_once(lambda one: read_beat(lake, one[1], one[0]), named)
    return {attempt: beat for (attempt, _), beat in zip(named, beats, strict=True) if beat is not None}


def find_task(lake: Lake, text: str, *, scopes: Collection[str] | None = None) -> tuple[str, str | None]:
    """Find a Task by its ScopedKey, the beginning of it, its name, or an attempt at it.

    Parameters
    ----------
    lake : Lake
    text : str
        A name is that of the Transformation and the number of the Task, as in `tyk2_a_b_complex-r0`.
    scopes : collection of str, optional
        Only Tasks of these Scopes; messages name no others.

    Returns
    -------
    tuple of str and (str or None)
        ScopedKey, and the attempt if that was given.

    Raises
    ------
    NotFoundError
        If no Task, or more than one, fits.
    """
    here = pl.lit(value=True) if scopes is None else pl.col("scope").is_in(list(scopes))
    tasks = lake.task_log.states().tasks.filter(here)
    for fits in (pl.col("task") == text, pl.col("task").str.starts_with(text)):
        found = tasks.filter(fits)["task"].sort().to_list()
        if len(found) == 1:
            return found[0], None
        if found and len(text) >= _SHORTEST:
            raise NotFoundError(f"{len(found)} Tasks begin with {text!r}: {', '.join(found[:3])}, ...", value=text)
    of_attempt = _task_of_attempt(lake, text, here)
    if of_attempt is not None:
        return of_attempt, text
    named = _named(lake, text, here)
    if len(named) == 1:
        return named[0], None
    if named:
        raise NotFoundError(f"{len(named)} Tasks have the name {text!r}; give one of {', '.join(named)}", value=text)
    meant = did_you_mean(text, [*_similar_names(lake, text, here), *tasks["task"]])
    see = meant or "; `alchemiscale-lake tasks --keys` lists Tasks"
    raise NotFoundError(f"there is no Task {text!r}{see}", value=text)


def _task_of_attempt(lake: Lake, attempt: str, here: pl.Expr) -> str | None:
    for table, column in (("results", "attempt"), ("task_log", "of_attempt")):
        rows = lake.table(table).scan().filter(here & (pl.col(column) == attempt)).select("task").head(1).collect()
        if len(rows):
            return str(rows["task"].item())
    return None


def _named(lake: Lake, text: str, here: pl.Expr) -> list[str]:
    """Return the Tasks with a name such as `rhfe_phenol_toluene-r1`."""
    name, dash, number = text.rpartition("-r")
    if not dash or not number.isdigit():
        return []
    from .task_names import repeat_numbers

    rows = lake.table("transformations").scan().filter(here & (pl.col("name") == name)).select("transformation")
    numbered = repeat_numbers(lake, rows.collect()["transformation"].to_list())
    return numbered.filter(pl.col("repeat") == int(number))["task"].sort().to_list()


def _similar_names(lake: Lake, text: str, here: pl.Expr) -> list[str]:
    """Return the names of the Tasks of the Transformation whose name is most similar to that in a Task's name."""
    name = text.rpartition("-r")[0] or text
    names = lake.table("transformations").scan().filter(here).select("transformation", "name").collect().drop_nulls()
    likely = closest(name, names["name"].unique())
    if likely is None:
        return []
    from .task_names import repeat_numbers

    numbered = repeat_numbers(lake, names.filter(pl.col("name") == likely)["transformation"].to_list())
    return [f"{likely}-r{number}" for number in numbered["repeat"].unique()]


def _bound(tasks: Collection[str]) -> dict[str, list[str]]:
    return {"scopes": sorted({str(ScopedKey.from_str(task).scope) for task in tasks}), "tasks": list(tasks)}


def _with_beats(rows: pl.DataFrame, beats: Mapping[str, Beat]) -> pl.DataFrame:
    columns = {"last_heartbeat_at": "at", "last_progress_at": "progress_at", "work": "work"}
    own = {"hostname": "hostname", "queue_job": "queue_job", "started_at": "started_at"}
    own |= {"units_done": "units_done", "units_total": "units_total"}
    said = pl.DataFrame(
        {
            "attempt": list(beats),
            **{f"{name}_now": [getattr(beat, of) for beat in beats.values()] for name, of in (columns | own).items()},
        },
        schema_overrides={
            "attempt": pl.String,
            "work_now": pl.String,
            "hostname_now": pl.String,
            "queue_job_now": pl.String,
            **{f"{name}_now": pl.Int64 for name in ("units_done", "units_total")},
            **{f"{name}_now": pl.Datetime("us", "UTC") for name in (*columns, "started_at") if name != "work"},
        },
    )
    joined = rows.join(said, on="attempt", how="left", maintain_order="left")
    return joined.with_columns(
        *(pl.coalesce(pl.col(f"{name}_now"), name).alias(name) for name in own),
        *(pl.col(f"{name}_now").alias(name) for name in columns),
    ).select(*rows.columns, *columns)
