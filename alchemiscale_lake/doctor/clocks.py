"""Clocks: times that lie in the future, or run backwards. Nothing in a lake depends on them, but answers show them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from ..store import Lake, collect
from .key_hashes import EXAMPLES, described
from .lake_finding import LakeFinding, Severity

__all__ = ["check_clocks"]

CHECK: Final = "clock"
#: Machines of one lake may differ by this much.
_TOLERANCE: Final = timedelta(minutes=5)
#: Events of dispatchers at work; imported histories have them only beside the creation of their Tasks.
_AT_WORK: Final = ("claimed", "renewed", "expired")
_ADVICE: Final = "synchronise the clocks of these machines, for example with chrony or systemd-timesyncd"


def check_clocks(
    lake: Lake, sound: Collection[str], now: datetime, tell: Callable[[str], None]
) -> Iterator[LakeFinding]:
    """Yield signs of clocks that are wrong.

    Parameters
    ----------
    lake : Lake
    sound : collection of str
        Tables that can be read.
    now : datetime
        Time, UTC.
    tell : callable
        Called with a line before each step.

    Raises
    ------
    StorageError
    """
    tell("clocks")
    late = pl.lit(now + _TOLERANCE)
    if "task_log" in sound:
        log = lake.table("task_log").scan()
        yield from _found(log.filter(pl.col("at") > late), "task_log.at", "actor", "in the future")
        yield from _steps_back(log)
    if "results" in sound:
        results = lake.table("results").scan()
        yield from _found(results.filter(pl.col("recorded_at") > late), "results.recorded_at", "pool", "in the future")
        ahead = results.filter(pl.col("ended_at") > pl.col("recorded_at") + _TOLERANCE)
        yield from _found(ahead, "results.ended_at", "hostname", "ended after they were recorded")


def _found(rows: pl.LazyFrame, subject: str, by: str, what: str) -> Iterator[LakeFinding]:
    names = pl.col(by).drop_nulls().unique().bottom_k(EXAMPLES + 1)
    found = collect(rows.select(n=pl.len(), names=names), subject, streaming=True)
    n = int(found["n"][0]) if len(found) else 0
    if n:
        text = f"{described(n, 'row', [])} {what}; {by} {', '.join(sorted(found['names'].drop_nulls())[:EXAMPLES])}"
        yield LakeFinding(Severity.WARNING, CHECK, subject, text, advice=_ADVICE)


def _steps_back(log: pl.LazyFrame) -> Iterator[LakeFinding]:
    commits = (
        log.group_by("seq")
        .agg(
            at=pl.col("at").max(),
            actor=pl.col("actor").first(),
            is_work=pl.col("event").is_in(_AT_WORK).any() & ~(pl.col("event") == "created").any(),
        )
        .filter("is_work")
        .select("seq", "at", "actor")
    )
    ordered = collect(commits, "the log of Tasks", streaming=True).sort("seq")
    back = ordered.filter(pl.col("at") < pl.col("at").cum_max() - _TOLERANCE)
    if len(back):
        actors = sorted(back["actor"].unique())
        who = ", ".join(actors[:EXAMPLES])
        text = f"{described(len(back), 'commit', [])} by a clock behind that of an earlier one; actor {who}"
        yield LakeFinding(Severity.WARNING, CHECK, "task_log.seq", text, advice=_ADVICE)
