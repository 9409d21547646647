"""Recording of receipts in the tables, and of the ends of their Tasks. `receipts` validates them.

Recording writes units, files and hosts first, then the result, then the event in the task log; each step is idempotent
by key, so an interrupted recording can be completed by any process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from ..caller import Caller
from ..faults import fault_point
from ..schemas.receipt import Receipt
from ..store import Lake, collect, now_utc
from .task_ends import ends_of

__all__ = ["GoodResult", "Recorded", "good_results", "record_receipts", "unrecorded_attempts"]

#: Time after its claim for which an attempt without a result is still checked for a receipt.
_LOOK_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded receipt.

    Attributes
    ----------
    attempt : str
        Identifier of the attempt.
    task : str
        ScopedKey.
    transformation : str
        ScopedKey.
    ok : bool
        Whether the result is good.
    estimate_kcal_mol : float or None
        None for a failed result, or one without a number.
    uncertainty_kcal_mol : float or None
        Standard error; None if the Protocol reported none.
    exception : str or None
        Type and message of the failure; None for a good result.
    wall_time_s : float
        Duration of the attempt.
    new : bool
        Whether the result, or the end of its Task, was new.
    """

    attempt: str
    task: str
    transformation: str
    ok: bool
    estimate_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    exception: str | None
    wall_time_s: float
    new: bool


def record_receipts(lake: Lake, receipts: Sequence[Receipt], *, caller: Caller) -> list[Recorded]:
    """Record receipts in the tables and end their Tasks; idempotent.

    A good result counts however late it comes. A failed one ends its Task in `error` only while its attempt holds the
    claim.

    Parameters
    ----------
    lake : Lake
    receipts : sequence of Receipt
        Verified receipts, of any attempts; those known already are skipped.
    caller : Caller
        Recorded as the author; needs the right to do this in the Scopes concerned.
    """
    if not receipts:
        return []
    recorded_at = now_utc()
    lake.table("hosts").append_new([dict(r.host) for r in receipts])
    lake.table("unit_results").append_new([dict(unit) for r in receipts for unit in r.units])
    fault_point("results:before-files")
    lake.table("result_files").append_new([dict(file) for r in receipts for file in r.files])
    lake.table("refused_files").append_new([dict(file) for r in receipts for file in r.refused])
    lake.table("replicates").append_new([dict(row) for r in receipts for row in r.replicates])
    fault_point("results:before-result")
    rows = [{**r.result, "recorded_at": recorded_at} for r in receipts]
    new = set(lake.table("results").append_new_rows(rows)["attempt"])
    fault_point("results:before-event")

    results = [r.result for r in receipts]
    landed = lake.task_log.commit(lambda states: ends_of(states, results), caller=caller)
    # a process that stored a result may have died before its Task ended: then the end is new
    ended = {event.of_attempt for event in landed.events}
    return [_recorded(r.result, r.attempt in new | ended) for r in receipts]


def unrecorded_attempts(lake: Lake, within: timedelta = _LOOK_BACK) -> dict[str, str]:
    """Return attempts (attempt -> Scope) that were claimed, hold no claim now, and have no row in `results`.

    A worker that outlived its dispatcher or its lease may still leave a receipt for one of them.

    Parameters
    ----------
    lake : Lake
    within : timedelta
        Maximum age of the last event of the attempt.
    """
    recent = pl.col("of_attempt").is_not_null() & (pl.col("at") > now_utc() - within)
    claimed = lake.table("task_log").scan().filter(recent).select("scope", attempt="of_attempt").unique()
    recorded = lake.table("results").scan().select("attempt")
    rows = collect(claimed.join(recorded, on="attempt", how="anti"), "attempts without a result")
    held = {state.attempt for state in lake.task_log.states().running().values()}
    return {attempt: scope for scope, attempt in rows.iter_rows() if attempt not in held}


@dataclass(frozen=True, slots=True)
class GoodResult:
    """Path of a ProtocolDAGResult, its expected SHA-256, and the attempt that it is the result of.

    Attributes
    ----------
    object_path : str
        Path of the object in the lake.
    digest : str or None
        SHA-256 of the object; None if its row has none.
    attempt : str
    """

    object_path: str
    digest: str | None
    attempt: str


def good_results(lake: Lake, tasks: Collection[str]) -> dict[str, GoodResult]:
    """Return the first good ProtocolDAGResult of each of these Tasks that has one.

    Parameters
    ----------
    lake : Lake
    tasks : collection of str
        ScopedKeys of the Tasks.
    """
    if not tasks:
        return {}
    good = lake.table("results").scan().filter(pl.col("ok") & pl.col("task").is_in(list(tasks)))
    rows = collect(good.select("task", "object_path", "digest", "started_at", "attempt"), "good results")
    rows = rows.sort("started_at", "attempt", descending=True)
    columns = rows.select("task", "object_path", "digest", "attempt")
    return {task: GoodResult(path, digest, attempt) for task, path, digest, attempt in columns.iter_rows()}


def _recorded(result: Mapping[str, Any], new: bool) -> Recorded:
    return Recorded(
        attempt=result["attempt"],
        task=result["task"],
        transformation=result["transformation"],
        ok=result["ok"],
        estimate_kcal_mol=result.get("estimate_kcal_mol"),
        uncertainty_kcal_mol=result.get("uncertainty_kcal_mol"),
        exception=result.get("exception"),
        wall_time_s=result["wall_time_s"],
        new=new,
    )
