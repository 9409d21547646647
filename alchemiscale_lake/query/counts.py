"""Counts of Tasks by status, fast over millions of them.

The folded snapshot is counted column by column as it lies; only the Tasks in the tail of the log are
looked at one by one: each is taken out under the status it had in the snapshot and put back under
the one it has now. What it had follows from the first event of the tail, as the rules in
`tasks/status.py` tell (a claim needs a waiting Task, and so on), so that the column of names, which
is most of the table, is not read at all. Where an event does not tell, the Task is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from ..ids import Scope
from ..schemas import STATUSES
from ..store import Lake

__all__ = ["status_counts", "status_counts_by"]

#: Events that leave the status as it was, and those that only one status allows.
_UNCHANGED: Final = ("actioned", "cancelled", "weight", "priority")
_FROM_WAITING: Final = ("claimed",)
_FROM_RUNNING: Final = ("renewed", "failed", "released", "expired")

Frames = Mapping[str, pl.LazyFrame]


def status_counts(
    lake: Lake | Frames, *, scope: Scope | str | None = None, network: str | None = None
) -> dict[str, int]:
    """Count Tasks by status, actioned or not.

    Parameters
    ----------
    lake : Lake or mapping of str to LazyFrame
        A lake, or a snapshot of it (`Lake.snapshot`) to count on again.
    scope : Scope or str, optional
        Only Tasks of this Scope (wildcards allowed).
    network : str, optional
        Only Tasks of this network's Transformations, by ScopedKey.

    Returns
    -------
    dict of str to int
        Every status, in the fixed order, zeros included.
    """
    if network is None:
        counts = _counted(_frames(lake), [], _within(scope))
    else:
        counts = status_counts_by(lake, "network", scope=scope).filter(pl.col("network") == network)
    total = counts.select(pl.col(STATUSES).sum()).row(0)
    return dict(zip(STATUSES, total, strict=True))


def status_counts_by(lake: Lake | Frames, by: str, *, scope: Scope | str | None = None) -> pl.DataFrame:
    """Count Tasks by status for each `scope`, `transformation` or `network`.

    Returns
    -------
    polars.DataFrame
        Column `by`, then one per status; sorted. Groups without a Task are left out.
    """
    frames = _frames(lake)
    if by != "network":
        return _counted(frames, [by], _within(scope)).sort(by)
    per_transformation = _counted(frames, ["transformation"], _within(scope))
    members = frames["network_members"].filter(pl.col("kind") == "transformation")
    members = members.select("network", transformation="member")
    joined = members.collect().join(per_transformation, on="transformation")
    return joined.group_by("network").agg(pl.col(STATUSES).sum()).sort("network")


def _frames(lake: Lake | Frames) -> Frames:
    return lake.snapshot(("task_log", "task_snapshots", "network_members")) if isinstance(lake, Lake) else lake


def _within(scope: Scope | str | None) -> pl.Expr:
    if scope is None:
        return pl.lit(True)
    pattern = str(Scope.parse(scope))
    if "*" not in pattern:
        return pl.col("scope") == pattern
    return pl.col("scope").str.starts_with(pattern.partition("*")[0])


def _counted(frames: Frames, by: list[str], where: pl.Expr) -> pl.DataFrame:
    """Columns `by`, then one per status."""
    snapshot = frames["task_snapshots"].filter(where)
    tallies = [(pl.col("status") == status).sum().cast(pl.Int64).alias(status) for status in STATUSES]
    grouped = snapshot.group_by(by).agg(tallies) if by else snapshot.select(tallies)
    as_of = frames["task_snapshots"].select("as_of_seq").head(1).collect()
    folded = as_of.item() if len(as_of) else 0
    tail, counts = pl.collect_all([frames["task_log"].filter((pl.col("seq") > folded) & where), grouped])
    if not len(tail):
        return counts
    changes = _changes(tail, frames["task_snapshots"])
    tallies = [pl.col("n").filter(pl.col("status") == status).sum().alias(status) for status in STATUSES]
    if not by:
        return pl.concat([counts, changes.select(tallies)]).sum()
    both = pl.concat([counts, changes.group_by(by).agg(tallies).select(counts.columns)])
    return both.group_by(by).agg(pl.col(STATUSES).sum())


def _changes(tail: pl.DataFrame, snapshot: pl.LazyFrame) -> pl.DataFrame:
    """Columns scope, transformation, status, n: -1 for what each Task was, +1 for what it is."""
    tail = tail.sort("seq", "idx")
    first = tail.unique("task", keep="first", maintain_order=True).filter(pl.col("event") != "created")
    last = tail.unique("task", keep="last", maintain_order=True)
    before = _statuses_before(first, snapshot)
    keys = ["scope", "transformation", "status"]
    return pl.concat(
        [before.select(*keys, n=pl.lit(-1, dtype=pl.Int64)), last.select(*keys, n=pl.lit(1, dtype=pl.Int64))]
    )


def _statuses_before(first: pl.DataFrame, snapshot: pl.LazyFrame) -> pl.DataFrame:
    """Replace `status` by the one before the event, for the first event of each Task in the tail."""
    event, held = pl.col("event"), pl.col("of_attempt").is_not_null()
    told = (
        pl.when(event.is_in(_UNCHANGED))
        .then(pl.col("status"))
        .when(event.is_in(_FROM_WAITING))
        .then(pl.lit("waiting"))
        .when(event.is_in(_FROM_RUNNING) | ((event == "status") & held))
        .then(pl.lit("running"))
        .otherwise(None)
    )
    first = first.with_columns(status=told)
    if first["status"].null_count():
        # most of these were running when the log was folded, and few of the rows are
        running = snapshot.filter(pl.col("attempt").is_not_null()).select("attempt", known="status").collect()
        first = first.join(running, left_on="of_attempt", right_on="attempt", how="left")
        first = first.with_columns(pl.coalesce("status", "known")).drop("known")
    open_tasks = first.filter(pl.col("status").is_null())["task"]
    if len(open_tasks):
        wanted = pl.LazyFrame({"task": open_tasks})
        found = snapshot.join(wanted, on="task", how="semi").select("task", known="status").collect()
        first = first.join(found, on="task", how="left").with_columns(pl.coalesce("status", "known")).drop("known")
    return first
