"""Recording of ended attempts: receipts, releases and failures.

Receipts go into the tables. An attempt without one is released with its reason; a Task whose workers keep dying is
failed, so that restart policies and users see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from ..caller import Caller
from ..execution.release import read_release
from ..execution.start_markers import has_started
from ..schemas.receipt import Receipt
from ..statestore.claims import Claim, end_claims, expire_claims
from ..statestore.receipts import find_receipts, leave_failure
from ..statestore.restarts import resolve_restarts
from ..statestore.result_recording import Recorded, record_receipts
from ..statestore.task_ends import end_recorded
from ..statestore.task_names import TaskNames
from ..store import Lake, collect, now_utc
from ..store.parallel_requests import at_once
from ..tasks import TaskState
from .flights import spec_of
from .report import DispatchReport, RecordedTask

__all__ = ["NO_WORD", "Books", "Ending", "recent_refusals"]

#: Kind and reason of an ending without a receipt.
Ending = tuple[str, str]
#: Default ending of an attempt without any report.
NO_WORD: Final[Ending] = ("lost", "its worker or job ended without a report")
#: Number of endings of one kind, without a result in between, after which the Task fails.
_MOST: Final = {"lost": 3, "walltime": 20}
_FAILURE: Final = {
    "lost": "WorkerLost: {n} workers in a row ended while running it; the last: {reason}",
    "walltime": "WalltimeExceeded: {n} jobs in a row ended before it did; increase the walltime of its pool",
}
#: How long refusals are remembered, by the clock of the refused dispatcher: if that is wrong, a Task cools down once
#: more, or not at all.
_REFUSALS_WITHIN: Final = timedelta(hours=2)
#: Events that reset the count of endings.
_FRESH_START: Final = ("created", "completed", "failed", "status", "restarted")


class Books:
    """Records ended attempts for one dispatcher.

    Attributes
    ----------
    report : DispatchReport
    newly : list of RecordedTask
        Tasks recorded since the list was last taken.
    wall_times_s : list of float
        Of recorded attempts.
    """

    def __init__(self, lake: Lake, pool: str, actor: str, names: TaskNames, *, durable: bool = False) -> None:
        self._lake, self._pool, self._actor, self._names = lake, pool, actor, names
        self._durable = durable
        self.report = DispatchReport()
        self.newly: list[RecordedTask] = []
        self.wall_times_s: list[float] = []

    def count(self, **more: int) -> None:
        """Add to the counts of the report."""
        self.report = replace(self.report, **{name: getattr(self.report, name) + n for name, n in more.items()})

    def take_newly(self) -> list[RecordedTask]:
        """Return the Tasks recorded since the last call."""
        newly, self.newly = self.newly, []
        return newly

    def record_left(self, attempts: Mapping[str, str]) -> set[str]:
        """Record the receipts of attempts (attempt -> Scope); return the attempts that left one."""
        receipts = find_receipts(self._lake, attempts)
        self.record(receipts)
        return {receipt.attempt for receipt in receipts}

    def record_forgotten(self, attempts: Mapping[str, str]) -> set[str]:
        """Like `record_left`, for attempts that this dispatcher did not submit."""
        before = self.report.completed + self.report.failed
        left = self.record_left(attempts)
        self.count(recovered=self.report.completed + self.report.failed - before)
        return left

    def record(self, receipts: Sequence[Receipt]) -> None:
        """Record receipts in the tables, once, and apply restart policies to the failures."""
        recorded = record_receipts(self._lake, receipts, caller=Caller(self._actor))
        new = [r for r in recorded if r.new]
        self._count_recorded(new)
        # also after an earlier try that only got as far as the tables
        failed = [r.task for r in recorded if not r.ok]
        if failed:
            decisions = resolve_restarts(self._lake, failed, caller=Caller(self._actor))
            self.count(restarted=len({d.task for d in decisions if d.kind == "restarted"}))

    def end_recorded(self, within: timedelta | None = None) -> None:
        """End Tasks with a recorded result whose recorder was killed before it logged the event."""
        ended = end_recorded(self._lake, caller=Caller(self._actor), within=within)
        good = sum(one.ok for one in ended)
        self.count(completed=good, failed=len(ended) - good, recovered=len(ended))
        failed = [one.task for one in ended if not one.ok]
        if failed:
            decisions = resolve_restarts(self._lake, failed, caller=Caller(self._actor))
            self.count(restarted=len({d.task for d in decisions if d.kind == "restarted"}))

    def _count_recorded(self, new: Sequence[Recorded]) -> None:
        names = self._names.of(new)
        self.newly += [RecordedTask(names[r.task], r) for r in new]
        self.wall_times_s += [r.wall_time_s for r in new]
        good = sum(r.ok for r in new)
        self.count(completed=good, failed=len(new) - good)

    def release(self, attempts: Mapping[str, str], reason: str) -> None:
        """Release attempts (attempt -> Task)."""
        self.count(released=end_claims(self._lake, attempts, caller=Caller(self._actor), reason=reason))

    def expire(self, watched: Collection[TaskState]) -> None:
        """Release attempts whose leases expired while they were watched."""
        self.count(released=expire_claims(self._lake, watched, caller=Caller(self._actor)))

    def end_without_receipt(self, claims: Collection[Claim], said: Mapping[str, Ending]) -> dict[str, str]:
        """Release attempts that ended without a receipt, or fail their Task if that happens too often.

        Parameters
        ----------
        said : mapping
            Endings reported by the engine; `NO_WORD` for missing attempts.

        Returns
        -------
        dict
            Attempt -> kind of ending: `lost`, or the kind of its release; only attempts that held their Tasks.
        """
        words = at_once(lambda claim: self._ending(claim, said.get(claim.attempt, NO_WORD)), claims)
        endings = {claim.attempt: ending for claim, ending in zip(claims, words, strict=True)}
        known = self._lake.task_log.states().of([claim.task for claim in claims])
        held = [c for c in claims if c.task in known and known[c.task].attempt == c.attempt]
        counted = _count_endings(self._lake, [c.task for c in held if endings[c.attempt][0] in _MOST])
        failed, released = [], dict[str, dict[str, str]]()
        for claim in held:
            kind, reason = endings[claim.attempt]
            n = counted[claim.task, kind] + 1
            if kind in _MOST and n >= _MOST[kind]:
                exception = _FAILURE[kind].format(n=n, reason=reason)
                failed.append(leave_failure(self._lake, spec_of(claim), self._pool, exception))
            else:
                released.setdefault(f"{kind}: {reason}", {})[claim.attempt] = claim.task
        for reason, attempts in released.items():
            self.release(attempts, reason)
        self.record(failed)
        return {claim.attempt: endings[claim.attempt][0] for claim in held}

    def _ending(self, claim: Claim, said: Ending) -> Ending:
        left = read_release(self._lake, claim.scope, claim.attempt)
        if left is not None:
            return left.kind, f"{left.reason} ({left.hostname})"
        if self._durable and said[0] == "lost" and not has_started(self._lake, claim.scope, claim.attempt):
            # for example a broken environment: not the Task's fault, and an immediate retry would fail too
            return "refused", "its job ended before the attempt started; see the job's output"
        return said


def _count_endings(lake: Lake, tasks: Collection[str]) -> Counter[tuple[str, str]]:
    """Count the relevant releases by Task and kind since the last event that resets the count."""
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
