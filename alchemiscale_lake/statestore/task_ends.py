"""Ending of Tasks by results, including recorded results whose Task is still open.

A recorder may be killed between writing a row in `results` and the event in the task log. The receipt of such an
attempt is not looked for again, since it is recorded; `end_recorded` writes the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import polars as pl

from ..caller import Caller
from ..store import Lake, collect, now_utc
from ..tasks import Event, TaskStates, status
from ..tasks.states import ACTIONABLE

__all__ = ["RECENT", "EndedTask", "end_lost", "end_recorded", "ends_of", "open_with_result"]

#: Results recorded within this time are checked often, older ones rarely.
RECENT: Final = timedelta(days=1)
_LOST: Final = "its result is lost: it is in no table, and there is no valid receipt of it"
_COLUMNS: Final = ("scope", "task", "attempt", "ok", "exception")


@dataclass(frozen=True, slots=True)
class EndedTask:
    """A Task that was ended by a result recorded earlier.

    Attributes
    ----------
    task, attempt : str
    ok : bool
        Whether it is complete now; otherwise it is in error.
    """

    task: str
    attempt: str
    ok: bool


def ends_of(states: TaskStates, results: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Return the events by which these results end their Tasks.

    A good result ends its Task however late it comes, unless a user has set the Task to `invalid` or `deleted`. A
    failed one ends it only while its attempt holds the claim.

    Parameters
    ----------
    states : TaskStates
        States of all Tasks.
    results : iterable of mapping of str to object
        Rows of the table `results`.
    """
    rows = list(results)
    known = states.of({str(row["task"]) for row in rows})
    events: dict[str, Event] = {}
    for row in sorted(rows, key=lambda row: not row["ok"]):
        task, attempt = str(row["task"]), str(row["attempt"])
        if task not in known or task in events:
            continue
        done = (
            status.complete(known[task], attempt) if row["ok"] else status.fail(known[task], attempt, row["exception"])
        )
        if isinstance(done, Event):
            events[task] = done
    return list(events.values())


def end_recorded(lake: Lake, *, caller: Caller, within: timedelta | None = None) -> list[EndedTask]:
    """End the open Tasks that have a result in the tables; idempotent.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    within : timedelta, optional
        Check only results recorded within this time, so that old files are not read. This compares the recorder's
        clock with the local one; a result missed because of clocks is found by a check of all.
    """
    rows = open_with_result(lake, within)
    if not len(rows):
        return []
    results = rows.to_dicts()
    landed = lake.task_log.commit(lambda states: ends_of(states, results), caller=caller)
    return [EndedTask(e.after.task, e.of_attempt or "", e.kind == "completed") for e in landed.events]


def end_lost(lake: Lake, *, caller: Caller) -> list[str]:
    """Put complete Tasks without a good result in the tables in error; return them.

    Only damage removes a result: call this after a repair, and after recording receipts that are in no table.

    Parameters
    ----------
    lake : Lake
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    """
    # read the states first: the result of a complete Task was recorded before
    complete = lake.task_log.states().with_status("complete").select("scope", "task")
    good = lake.table("results").scan().filter(pl.col("ok")).select("task")
    lost = collect(complete.lazy().join(good, on="task", how="anti"), "complete Tasks without a result")
    if lost.is_empty():
        return []
    tasks = lost["task"].to_list()

    def decide(states: TaskStates) -> list[Event]:
        done = [status.lose(state, _LOST) for state in states.of(tasks).values()]
        return [event for event in done if isinstance(event, Event)]

    return [event.after.task for event in lake.task_log.commit(decide, caller=caller).events]


def open_with_result(lake: Lake, within: timedelta | None = None) -> pl.DataFrame:
    """Return results, by Task, of Tasks that are still open: good, or failed with the attempt holding the claim.

    Parameters
    ----------
    lake : Lake
    within : timedelta, optional
        Only results recorded within this time.
    """
    tasks = lake.task_log.states().tasks.filter(pl.col("status").is_in(ACTIONABLE))
    if not len(tasks):
        return pl.DataFrame(schema={"task": pl.String})
    results = lake.table("results").scan().filter(pl.col("scope").is_in(tasks["scope"].unique().to_list()))
    if within is not None:
        results = results.filter(pl.col("recorded_at") > now_utc() - within)
    holders = tasks.lazy().select("task", holder="attempt")
    found = results.select(_COLUMNS).join(holders, on="task", how="inner")
    return collect(found.filter(pl.col("ok") | (pl.col("attempt") == pl.col("holder"))), "results of open Tasks")
