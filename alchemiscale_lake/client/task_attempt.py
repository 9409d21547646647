"""One attempt at a Task, with the names of alchemiscale and what a lake adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["TaskAttempt"]


@dataclass(frozen=True, slots=True)
class TaskAttempt:
    """One attempt at a Task.

    Attributes
    ----------
    compute_service_id : str or None
        Dispatcher that claimed it.
    hostname : str or None
    manager_name : str or None
        Pool.
    datetime_claimed, datetime_start, datetime_end : datetime or None
        UTC; the end of a running attempt is None.
    outcome : str
        `running`, `complete`, `error`, `expired` or `released`.
    units_completed, units_total : int or None
        ProtocolUnits, of a running attempt as of its last heartbeat.
    protocoldagresultref : str or None
        Id of its result; None if it has none.
    attempt : str
        Id of the attempt.
    queue_job : str or None
        Job of a batch queue, or pod.
    reason : str or None
        Exception, or why it was released.
    last_heartbeat_at, last_progress_at : datetime or None
        Of a running attempt.
    """

    compute_service_id: str | None
    hostname: str | None
    manager_name: str | None
    datetime_claimed: datetime | None
    datetime_start: datetime | None
    datetime_end: datetime | None
    outcome: str
    units_completed: int | None
    units_total: int | None
    protocoldagresultref: str | None
    attempt: str
    queue_job: str | None
    reason: str | None
    last_heartbeat_at: datetime | None
    last_progress_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> TaskAttempt:
        """Return the attempt of a row of the named query `attempts`."""
        return cls(
            compute_service_id=row["dispatcher"],
            hostname=row["hostname"],
            manager_name=row["pool"],
            datetime_claimed=row["claimed_at"],
            datetime_start=row["started_at"],
            datetime_end=row["ended_at"],
            outcome=row["outcome"],
            units_completed=row["units_done"],
            units_total=row["units_total"],
            protocoldagresultref=row["attempt"] if row["object_path"] is not None else None,
            attempt=row["attempt"],
            queue_job=row["queue_job"],
            reason=row["reason"],
            last_heartbeat_at=row["last_heartbeat_at"],
            last_progress_at=row["last_progress_at"],
        )
