"""Earlier endings of attempts in the task log: how often a Task's workers were lost, which Tasks were refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from typing import Final

import polars as pl

from ..store import Lake, collect, now_utc

__all__ = ["count_endings", "recent_refusals"]

#: Time for which refusals are remembered, by the clock of the refused dispatcher: if that is wrong, a Task cools down
#: once more, or not at all.
_REFUSALS_WITHIN: Final = timedelta(hours=2)
#: Events that reset the count of endings.
_FRESH_START: Final = ("created", "completed", "failed", "status", "restarted")


def count_endings(lake: Lake, tasks: Collection[str]) -> Counter[tuple[str, str]]:
    """Count releases by Task and kind, such as `lost`, since the last event that resets the count.

    Parameters
    ----------
    lake : Lake
    tasks : collection of str
        ScopedKeys of the Tasks.
    """
    if not tasks:
        return Counter()
    log = lake.table("task_log").scan().filter(pl.col("task").is_in(list(tasks)))
    fresh = pl.col("event").is_in(_FRESH_START)
    log = log.filter(fresh | (pl.col("event") == "released")).select("task", "seq", "event", "reason")
    rows = collect(log, "outcomes of attempts")
    start = rows.filter(pl.col("event") != "released").group_by("task").agg(start=pl.col("seq").max())
    since = rows.filter(pl.col("event") == "released").join(start, on="task").filter(pl.col("seq") > pl.col("start"))
    kinds = pl.col("reason").str.split(":").list.first()
    counts = since.group_by("task", kind=kinds).len()
    return Counter({(task, kind): n for task, kind, n in counts.iter_rows()})


def recent_refusals(lake: Lake) -> dict[str, tuple[int, float]]:
    """Return by Task the number of recent refusals by workers, and the seconds since the last one."""
    recent = (pl.col("event") == "released") & (pl.col("at") > now_utc() - _REFUSALS_WITHIN)
    refused = pl.col("reason").str.starts_with("refused:") | pl.col("reason").str.starts_with("unreadable:")
    rows = collect(lake.table("task_log").scan().filter(recent & refused).select("task", "at"), "refusals")
    last = rows.group_by("task").agg(n=pl.len(), at=pl.col("at").max())
    now = now_utc()
    return {task: (n, (now - at).total_seconds()) for task, n, at in last.iter_rows()}
