"""Since when Tasks have their status, and why."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from ..store import Lake, collect

__all__ = ["status_changes"]

#: Events after which a Task may have another status.
_CHANGES: Final = ("created", "claimed", "completed", "failed", "released", "expired", "status", "restarted")


def status_changes(lake: Lake, tasks: Collection[str]) -> pl.DataFrame:
    """Return the last change of the status of each Task.

    Parameters
    ----------
    lake : Lake
    tasks : collection of str
        ScopedKeys.

    Returns
    -------
    polars.DataFrame
        Columns task, at, actor, reason; Tasks that the lake lacks have no row.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    changes = pl.col("task").is_in(list(tasks)) & pl.col("event").is_in(_CHANGES)
    log = lake.table("task_log").scan().filter(changes).select("task", "seq", "idx", "at", "actor", "reason")
    last = collect(log, "the log of Tasks").sort("seq", "idx").unique("task", keep="last", maintain_order=True)
    return last.select("task", "at", "actor", "reason")
