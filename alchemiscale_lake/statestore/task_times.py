"""Times of Tasks: since when they wait, when attempts were claimed and released.

Read incrementally from the task log. The state of Tasks is handled elsewhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from ..store import Lake, collect

__all__ = ["TaskTimes"]

_COLUMNS: Final = ("seq", "idx", "task", "transformation", "event", "status", "pool", "of_attempt", "at")
#: Events that keep a Task waiting.
_STILL: Final = ("priority", "weight", "cancelled")
_GIVEN_BACK: Final = ("released", "expired", "status")
_TIME: Final = pl.Datetime("us", "UTC")
_CLAIM: Final = ("attempt", "transformation", "pool", "claimed_at")


class TaskTimes:
    """Times of a lake's Tasks, as of the last `refresh`.

    Attributes
    ----------
    waiting_since : polars.DataFrame
        Columns task, since: for every waiting Task, when it last started to wait, or was last actioned.
    claims : polars.DataFrame
        Columns attempt, transformation, pool, claimed_at: attempts without a logged end.
    released : polars.DataFrame
        The same and ended_at: attempts that were released or expired, or whose Task was taken away.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._seq = 0
        self.waiting_since = pl.DataFrame(schema={"task": pl.String, "since": _TIME})
        self.claims = pl.DataFrame(schema=dict.fromkeys(_CLAIM, pl.String)).cast({"claimed_at": _TIME})
        self.released = self.claims.with_columns(ended_at=pl.lit(None, _TIME))

    def refresh(self, *, forget_before: datetime | None = None) -> None:
        """Read the new part of the log.

        Parameters
        ----------
        forget_before : datetime, optional
            Attempts released earlier are dropped.
        """
        log = self._lake.table("task_log").scan().filter(pl.col("seq") > self._seq)
        tail = collect(log.select(_COLUMNS), "the log of Tasks")
        if len(tail):
            tail = tail.sort("seq", "idx")
            self._seq = int(tail["seq"][-1])
            self._note_waiting(tail)
            self._note_attempts(tail)
        if forget_before is not None:
            self.released = self.released.filter(pl.col("ended_at") >= forget_before)

    def _note_waiting(self, tail: pl.DataFrame) -> None:
        last = tail.unique("task", keep="last", maintain_order=True)
        ended = last.filter(pl.col("status") != "waiting").select("task")
        began = tail.filter((pl.col("status") == "waiting") & ~pl.col("event").is_in(_STILL))
        began = began.unique("task", keep="last", maintain_order=True).select("task", since="at")
        began = began.join(ended, on="task", how="anti", maintain_order="left")
        before = self.waiting_since.join(ended, on="task", how="anti").join(began, on="task", how="anti")
        self.waiting_since = pl.concat([before, began])

    def _note_attempts(self, tail: pl.DataFrame) -> None:
        claimed = tail.filter(pl.col("event") == "claimed")
        claimed = claimed.select("transformation", "pool", attempt="of_attempt", claimed_at="at").select(_CLAIM)
        known = pl.concat([self.claims, claimed])
        ends = tail.filter(pl.col("event").is_in(["completed", "failed", *_GIVEN_BACK])).filter(
            pl.col("of_attempt").is_not_null()
        )
        back = ends.filter(pl.col("event").is_in(_GIVEN_BACK)).select(attempt="of_attempt", ended_at="at")
        back = known.join(back.unique("attempt", keep="first", maintain_order=True), on="attempt")
        self.released = pl.concat([self.released, back])
        self.claims = known.join(ends.select(attempt="of_attempt"), on="attempt", how="anti")
