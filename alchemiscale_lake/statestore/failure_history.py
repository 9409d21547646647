"""History of Tasks in error from the log and the tables: last failures, numbers of restarts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import polars as pl

from ..store import Lake, collect
from ..tasks import TaskState

__all__ = ["FailureHistory", "read_failure_histories", "read_tracebacks"]


@dataclass(frozen=True, slots=True)
class FailureHistory:
    """Failure history of several Tasks.

    Parameters
    ----------
    attempts : dict
        Task -> attempt of its latest failed result.
    restarts : dict
        (Task, network) -> number of restarts by each (pattern, commit that added it) since the Task was last cancelled
        there.
    """

    attempts: dict[str, str] = field(default_factory=dict)
    restarts: dict[tuple[str, str], Counter[tuple[str, int]]] = field(default_factory=dict)


def read_failure_histories(lake: Lake, tasks: Collection[TaskState]) -> FailureHistory:
    """Read the histories of some Tasks from the task log.

    Parameters
    ----------
    lake : Lake
    tasks : collection of TaskState
        States of the Tasks.
    """
    log = (
        lake.table("task_log")
        .scan()
        .filter(
            pl.col("scope").is_in(list({state.scope for state in tasks}))
            & pl.col("event").is_in(["failed", "restarted", "cancelled"])
            & pl.col("task").is_in([state.task for state in tasks])
        )
        .select("seq", "idx", "event", "task", "network", "of_attempt", "pattern", "pattern_seq")
    )
    rows = collect(log, "the log of Tasks").sort("seq", "idx")
    history = FailureHistory()
    for _, _, event, task, network, attempt, pattern, pattern_seq in rows.iter_rows():
        if event == "failed" and attempt is not None:
            history.attempts[task] = attempt
        elif event == "cancelled":
            history.restarts.pop((task, network), None)
        elif event == "restarted":
            history.restarts.setdefault((task, network), Counter())[pattern, pattern_seq] += 1
    return history


def read_tracebacks(lake: Lake, attempts: Collection[str], tasks: Collection[TaskState]) -> dict[str, list[str]]:
    """Return the tracebacks of all failed units of attempts at these Tasks.

    A unit without a traceback is represented by its exception, an attempt without failed units, or that failed outside
    of them, by that of its result.

    Parameters
    ----------
    lake : Lake
    attempts : collection of str
        Identifiers of the attempts.
    tasks : collection of TaskState
        States of their Tasks, which narrow the search.
    """
    found: dict[str, list[str]] = {attempt: [] for attempt in attempts}
    if not found:
        return found
    wanted = (
        pl.col("scope").is_in(list({state.scope for state in tasks}))
        & pl.col("attempt").is_in(list(found))
        & ~pl.col("ok")
    )
    units = lake.table("unit_results").scan().filter(wanted)
    texts = collect(units.select("attempt", pl.coalesce("traceback", "exception")), "failures of units")
    for attempt, text in texts.iter_rows():
        found[attempt].append(text)
    results = lake.table("results").scan().filter(wanted).select("attempt", "exception", "failed_unit")
    for attempt, exception, failed_unit in collect(results, "results").iter_rows():
        if failed_unit is None or not found[attempt]:
            # for example of an attempt that was given up, whatever its units left
            found[attempt].append(exception)
    return found
