"""Host quarantine: which hosts fail Tasks, and for how long they are excluded.

A host that fails Task after Task soon after the start uses up a campaign faster than good hosts can work on it. A
given number of *fast failures without a success in between, within a window*, puts it in quarantine; each further
quarantine lasts twice as long, up to a limit; each
`penalty_expires_after_s` since its end undoes one doubling. After a quarantine the
host is on probation until a Task succeeds there or all its penalties have expired: during probation a single fast
failure puts it back. Attempts that end during a quarantine were started before it and are ignored.

A Task that failed fast on several hosts and succeeded on none is itself at fault, and is not counted against any host.
Everything is computed from the results as they are known now, so a host is cleared as soon as its failures turn out to
be caused by the Tasks. Nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from ..settings import QuarantineRules

__all__ = ["OUTCOMES", "HostRecord", "fold_outcomes"]

#: Columns of the results that hosts are judged by.
OUTCOMES: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "hostname": pl.String,
    "task": pl.String,
    "ok": pl.Boolean,
    "ended_at": pl.Datetime("us", "UTC"),
    "wall_time_s": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class HostRecord:
    """Record of one host.

    Parameters
    ----------
    hostname : str
    attempts, failures : int
        Number of results, and of failed ones.
    fast_failures : int
        Failures that count against the host.
    last_seen_at : datetime or None
        End of its last result.
    quarantines : int
        Quarantines whose penalty has not expired; each doubles the next.
    on_probation : bool
        Whether it has had no success since its last quarantine.
    quarantined_until : datetime or None
        End of its last quarantine, possibly in the past.
    reason : str or None
        Human-readable reason.
    """

    hostname: str
    attempts: int = 0
    failures: int = 0
    fast_failures: int = 0
    last_seen_at: datetime | None = None
    quarantines: int = 0
    on_probation: bool = False
    quarantined_until: datetime | None = None
    reason: str | None = None

    def is_quarantined(self, now: datetime) -> bool:
        """Return whether the host is excluded now."""
        return self.quarantined_until is not None and self.quarantined_until > now

    def is_on_probation(self, rules: QuarantineRules, now: datetime) -> bool:
        """Return whether a quarantine is over, without a success since and with penalties left.

        Parameters
        ----------
        rules : QuarantineRules
            `hosts` of the pools file.
        now : datetime
            Time, UTC, at which ages and limits are judged.
        """
        left = _left(self.quarantines, self.quarantined_until, now, rules)
        return self.on_probation and left > 0 and not self.is_quarantined(now)

    def next_penalty_s(self, rules: QuarantineRules, now: datetime) -> float:
        """Return how long a quarantine that began now would last.

        Parameters
        ----------
        rules : QuarantineRules
            `hosts` of the pools file.
        now : datetime
            Start of the quarantine, UTC.
        """
        return _penalty_s(rules, _left(self.quarantines, self.quarantined_until, now, rules))


def fold_outcomes(
    outcomes: pl.DataFrame, rules: QuarantineRules, readmitted: Mapping[str, datetime] | None = None
) -> dict[str, HostRecord]:
    """Fold results into one record per host.

    Parameters
    ----------
    outcomes : polars.DataFrame
        Columns `OUTCOMES`, in any order of rows.
    rules : QuarantineRules
    readmitted : mapping, optional
        Hosts, and the time up to which their results are ignored.
    """
    counted = _counted(outcomes, rules, readmitted or {})
    totals = (
        counted.group_by("hostname")
        .agg(
            attempts=pl.len(),
            failures=(~pl.col("ok")).sum(),
            fast_failures=pl.col("counts").sum(),
            last_seen_at=pl.col("ended_at").max(),
        )
        .sort("hostname")
    )
    records = {row["hostname"]: HostRecord(**row) for row in totals.iter_rows(named=True)}
    # only the latest success between two failures matters
    telling = (
        counted.filter((pl.col("ok") & ~pl.col("readmitted")) | pl.col("counts"))
        .sort("hostname", "ended_at", "ok", "task")
        .filter(~(pl.col("ok") & pl.col("ok").shift(1).over("hostname").fill_null(True)))
    )
    for (hostname,), rows in telling.group_by("hostname", maintain_order=True):
        records[str(hostname)] = _sentence(records[str(hostname)], rows.select("ended_at", "ok").iter_rows(), rules)
    return records


def _counted(outcomes: pl.DataFrame, rules: QuarantineRules, readmitted: Mapping[str, datetime]) -> pl.DataFrame:
    """Add `readmitted`, and `counts`: whether a row is a fast failure that counts against its host."""
    fast = outcomes.filter(~pl.col("ok") & (pl.col("wall_time_s") <= rules.fast_s))
    good = outcomes.filter(pl.col("ok")).select("task")
    to_blame = (
        fast.group_by("task").agg(hosts=pl.col("hostname").n_unique()).filter(pl.col("hosts") > 1).select("task")
    ).join(good, on="task", how="anti")
    acts = pl.DataFrame(
        {"hostname": list(readmitted), "readmitted_at": list(readmitted.values())},
        schema={"hostname": pl.String, "readmitted_at": OUTCOMES["ended_at"]},
    )
    return (
        outcomes.join(acts, on="hostname", how="left")
        .with_columns(readmitted=(pl.col("ended_at") <= pl.col("readmitted_at")).fill_null(False))
        .with_columns(
            counts=~pl.col("ok")
            & (pl.col("wall_time_s") <= rules.fast_s)
            & ~pl.col("readmitted")
            & ~pl.col("task").is_in(to_blame["task"].implode())
        )
    )


def _sentence(record: HostRecord, rows: Iterable[tuple[datetime, bool]], rules: QuarantineRules) -> HostRecord:
    """Replay the successes and fast failures of one host in order."""
    window = timedelta(seconds=rules.window_s)
    streak: list[datetime] = []
    quarantines, probation = 0, False
    until: datetime | None = None
    reason = None
    for at, ok in rows:
        if ok:
            streak, probation = [], False
            continue
        if until is not None and at < until:
            continue
        quarantines = _left(quarantines, until, at, rules)
        probation = probation and quarantines > 0
        streak = [then for then in streak if at - then <= window] + [at]
        if not probation and len(streak) < rules.failures:
            continue
        reason = (
            "a fast failure on probation" if probation else f"{len(streak)} fast failures without a success in between"
        )
        until = at + timedelta(seconds=_penalty_s(rules, quarantines))
        quarantines, probation, streak = quarantines + 1, True, []
    return HostRecord(
        record.hostname,
        record.attempts,
        record.failures,
        record.fast_failures,
        record.last_seen_at,
        quarantines,
        probation,
        until,
        reason,
    )


def _penalty_s(rules: QuarantineRules, quarantines: int) -> float:
    # 2.0 ** 1024 would overflow; the limit applies long before that
    return min(rules.penalty_s * 2.0 ** min(quarantines, 64), rules.longest_s)


def _left(quarantines: int, until: datetime | None, now: datetime, rules: QuarantineRules) -> int:
    """Return the number of penalties left at a time; one expires per `penalty_expires_after_s`."""
    if until is None or now <= until:
        return quarantines
    return max(0, quarantines - int((now - until).total_seconds() / rules.penalty_expires_after_s))
