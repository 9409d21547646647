"""Histories that cannot have happened: gaps in logs, illegal transitions, states that contradict results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

import polars as pl

from ..statestore.task_ends import open_with_result
from ..store import Lake, collect
from ..tasks.transitions import TRANSITIONS
from .key_hashes import EXAMPLES, described
from .lake_finding import MAINTAIN, REPAIR, LakeFinding, Severity

__all__ = ["check_histories"]

CHECK: Final = "history"
#: Events looked at together.
_EVENTS_AT_ONCE: Final = 2_000_000
_LOGS: Final = ("task_log", "network_log", "host_log")


def check_histories(lake: Lake, sound: Collection[str], tell: Callable[[str], None]) -> Iterator[LakeFinding]:
    """Yield what is impossible in the logs, and states of Tasks that their results contradict.

    Parameters
    ----------
    lake : Lake
    sound : collection of str
        Tables that can be read.
    tell : callable
        Called with a line before each step.

    Raises
    ------
    StorageError
    """
    for log in _LOGS:
        if log in sound:
            tell(f"history: commits of {log}")
            yield from _gaps(lake, log)
    if "task_log" not in sound:
        return
    tell("history: transitions of Tasks")
    yield from _transitions(lake, with_snapshot="task_snapshots" in sound)
    if "results" in sound and {"task_snapshots", "action_snapshots"} <= set(sound):
        tell("history: Tasks and results")
        yield from _ends(lake)


def _gaps(lake: Lake, log: str) -> Iterator[LakeFinding]:
    commits = (
        lake.table(log)
        .scan()
        .group_by("seq")
        .agg(n=pl.len(), last=pl.col("idx").max(), ids=pl.col("commit_id").n_unique())
    )
    found = collect(commits, f"table '{log}'", streaming=True).sort("seq")
    if found.is_empty():
        return
    newest = int(found["seq"][-1])
    if len(found) < newest:
        there = set(found["seq"])
        gone = [seq for seq in range(1, newest + 1) if seq not in there]
        what = f"commits are missing: {described(len(gone), 'commit', list(map(str, gone[:EXAMPLES])))}"
        advice = "restore the table from a backup; without them, states follow from the commits that are left"
        yield LakeFinding(Severity.WARNING, CHECK, f"{log}.seq", what, advice=advice)
    odd = found.filter((pl.col("last") + 1 != pl.col("n")) | (pl.col("ids") != 1))["seq"]
    if len(odd):
        what = f"rows are missing or twice in {described(len(odd), 'commit', list(map(str, odd[:EXAMPLES])))}"
        advice = "restore the table from a backup"
        yield LakeFinding(Severity.DAMAGE, CHECK, f"{log}.idx", what, advice=advice)


def _transitions(lake: Lake, *, with_snapshot: bool) -> Iterator[LakeFinding]:
    """Check every step of every Task, some Tasks at a time."""
    columns = ("task", "seq", "idx", "event", "status", "attempt")
    log = lake.table("task_log").scan().select(columns)
    snapshot = lake.table("task_snapshots").scan() if with_snapshot else None
    n_events = int(collect(log.select(pl.len()), "the log of Tasks", streaming=True).item())
    n_parts = 1 + n_events // _EVENTS_AT_ONCE
    illegal: list[str] = []
    differing: list[str] = []
    n_illegal = n_differing = 0
    for part in range(n_parts):
        mine = pl.col("task").hash() % n_parts == part
        events = collect(log.filter(mine), "the log of Tasks", streaming=True).sort("seq", "idx")
        bad = _illegal(events)
        n_illegal, illegal = n_illegal + len(bad), [*illegal, *bad[:EXAMPLES]][:EXAMPLES]
        if snapshot is not None:
            other = _differing(events, collect(snapshot.filter(mine), "table 'task_snapshots'"))
            n_differing, differing = n_differing + len(other), [*differing, *other[:EXAMPLES]][:EXAMPLES]
    if n_illegal:
        what = f"{described(n_illegal, 'step', illegal)}: impossible after the one before"
        advice = "commits between them were lost; restore the table from a backup, or set the status of these Tasks"
        yield LakeFinding(Severity.WARNING, CHECK, "task_log.status", what, advice=advice)
    if n_differing:
        what = f"{described(n_differing, 'Task', differing)}: the snapshot differs from the log"
        yield LakeFinding(Severity.DAMAGE, CHECK, "task_snapshots", what, REPAIR)


def _illegal(events: pl.DataFrame) -> list[str]:
    """Return steps that no rule allows, in words."""
    before = pl.col("status").shift(1).over("task").fill_null("")
    steps = events.with_columns(before=before)
    allowed = pl.DataFrame(
        [(event, b, after) for event, pairs in TRANSITIONS.items() for b, after in pairs],
        schema={"event": pl.String, "before": pl.String, "status": pl.String},
        orient="row",
    )
    bad = steps.join(allowed, on=["event", "before", "status"], how="anti", maintain_order="left")
    return [
        f"{row['task']} {row['event']} at commit {row['seq']} from {row['before'] or 'nothing'}"
        for row in bad.iter_rows(named=True)
    ]


def _differing(events: pl.DataFrame, snapshot: pl.DataFrame) -> list[str]:
    """Return Tasks whose state in the snapshot is not that of their last event up to it."""
    if snapshot.is_empty():
        return []
    upto: int = snapshot["as_of_seq"].max()  # type: ignore[assignment]
    last = events.filter(pl.col("seq") <= upto).unique("task", keep="last", maintain_order=True)
    state = ("task", "seq", "idx", "status", "attempt")
    same = snapshot.select(state).join(last.select(state), on=list(state), how="inner", nulls_equal=True)
    tasks = pl.concat([snapshot.select("task"), last.select("task")]).unique()
    return sorted(tasks.join(same, on="task", how="anti")["task"])


def _ends(lake: Lake) -> Iterator[LakeFinding]:
    states = lake.task_log.states()
    complete = states.with_status("complete").lazy().select("task")
    good = lake.table("results").scan().filter(pl.col("ok")).select("task")
    lost = collect(complete.join(good, on="task", how="anti"), "complete Tasks without a result", streaming=True)
    if len(lost):
        what = f"{_tasks(lost)}: complete without a result in the tables"
        advice = (
            "without receipts to record again they are set to `error`; `alchemiscale-lake tasks retry` runs them again"
        )
        yield LakeFinding(Severity.DAMAGE, CHECK, "results", what, REPAIR, advice)
    still = open_with_result(lake)
    if len(still):
        what = f"{_tasks(still)}: not ended, although the result is recorded"
        yield LakeFinding(Severity.WARNING, CHECK, "task_log", what, MAINTAIN)


def _tasks(rows: pl.DataFrame) -> str:
    tasks = rows["task"].unique().sort()
    return described(len(tasks), "Task", tasks[:EXAMPLES].to_list())
