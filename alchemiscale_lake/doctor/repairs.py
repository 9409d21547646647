"""Repairs that lose nothing: restore, record again, end, fold, maintain. Every step may be killed and repeated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import polars as pl

from ..caller import Caller
from ..faults import fault_point
from ..plurals import count
from ..statestore.task_ends import end_lost, end_recorded
from ..statestore.unrecorded_receipts import forgotten_receipts, receipts_of_lost_rows, record_forgotten
from ..store import Lake, Location, collect, drop_snapshots, maintain, repair, restore_marker
from .lake_finding import MAINTAIN, REPAIR, LakeFinding

__all__ = ["repair_findings"]

_log = logging.getLogger(__name__)
Tell = Callable[[str], None]


def repair_findings(
    place: str | Path, findings: Sequence[LakeFinding], *, caller: Caller, tell: Tell | None = None
) -> list[str]:
    """Apply the repairs that these findings ask for; return what was done, a line each.

    Parameters
    ----------
    place : str or Path
        Folder, or URL of a bucket and prefix.
    findings : sequence of LakeFinding
        From `examine`.
    caller : Caller
        Author of events.
    tell : callable, optional
        Called with a line before each step.

    Raises
    ------
    DamagedError
        If a table is missing entirely: nothing is changed.
    UpkeepRunningError
        If maintenance is running, or tables are being written to.
    StorageError
    """
    tell = _log.info if tell is None else tell
    asked = {finding.command for finding in findings}
    done, bare = list[str](), {"hosts"} if any(finding.subject == "results.host" for finding in findings) else set()
    if REPAIR in asked:
        bare |= _restore(place, tell, done)
    if asked & {REPAIR, MAINTAIN}:
        lake = Lake.open(place)
        if any(finding.subject == "task_snapshots" for finding in findings):
            drop_snapshots(lake)
            done.append("snapshots of the task log were emptied; they are folded anew")
            lake = Lake.open(place)
        done += _record(lake, caller, bare, lost=REPAIR in asked)
        tell("maintenance")
        maintain(lake, tell=tell)
        done.append("maintenance has run")
    return done


def _restore(place: str | Path, tell: Tell, done: list[str]) -> set[str]:
    """Restore the marker, the key and damaged tables; return the tables that lost rows."""
    problem = restore_marker(Location.parse(place))
    if problem is not None:
        done.append(f"lake.json was {problem}; it has been rewritten")
    lake = Lake.open(place)
    repaired = repair(lake, tell=tell)
    done += [str(loss) for loss in repaired.losses]
    fault_point("doctor:repaired")
    return {loss.table for loss in repaired.losses if loss.table is not None and not loss.is_restored}


def _record(lake: Lake, caller: Caller, bare: Collection[str], *, lost: bool) -> list[str]:
    done = []
    if lost and (n := _restore_tasks(lake)):
        done.append(f"{count(n, 'row')} of `tasks` restored from the log of Tasks")
    fault_point("doctor:tasks-restored")
    if forgotten := forgotten_receipts(lake):
        n = sum(recorded.new for recorded in record_forgotten(lake, forgotten, caller=caller))
        done.append(f"{count(n, 'result')} recorded from receipts that were in no table")
    if lost and (attempts := receipts_of_lost_rows(lake, bare)):
        record_forgotten(lake, attempts, caller=caller)
        done.append(f"{count(len(attempts), 'receipt')} recorded again for lost rows")
    fault_point("doctor:recorded")
    if ended := end_recorded(lake, caller=caller):
        done.append(f"{count(len(ended), 'Task')} ended by recorded results")
    if lost and (gone := end_lost(lake, caller=caller)):
        done.append(f"{count(len(gone), 'complete Task')} without a result set to error")
    return done


def _restore_tasks(lake: Lake) -> int:
    """Write the rows of Tasks that only the log knows: it has everything that `tasks` has."""
    created = lake.table("task_log").scan().filter(pl.col("event") == "created")
    known = lake.table("tasks").scan().select("scope", "task")
    lost = created.join(known, on=["scope", "task"], how="anti")
    rows = lost.select("scope", "task", "transformation", "extends", creator="actor", created_at="at")
    found = collect(rows, "Tasks that only the log knows", streaming=True)
    return lake.table("tasks").append_new(found.with_columns(origin=pl.lit(None, pl.String))) if len(found) else 0
