"""Records that the client returns, with the names of alchemiscale and what a lake adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..ids import ScopedKey
from .task_attempt import TaskAttempt

__all__ = ["ProtocolDAGResultRec", "ProtocolUnitResultRec", "TaskDetails"]


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """Summary of a Task.

    Attributes
    ----------
    task : ScopedKey
    status : str
    datetime_status_changed : datetime or None
        Since when it has this status, UTC.
    reason : str or None
        Why, as its user or the end of its attempt says.
    num_claims : int
        Number of its attempts.
    current_claim : TaskAttempt or None
        The attempt that runs.
    most_recent_attempt : TaskAttempt or None
    priority : int
    transformation : ScopedKey
    extends : ScopedKey or None
        Task whose result it continues.
    creator : str or None
    datetime_created : datetime or None
    networks : mapping of ScopedKey to float
        Its weight on every network on which it is actioned.
    """

    task: ScopedKey
    status: str
    datetime_status_changed: datetime | None
    reason: str | None
    num_claims: int
    current_claim: TaskAttempt | None
    most_recent_attempt: TaskAttempt | None
    priority: int
    transformation: ScopedKey
    extends: ScopedKey | None
    creator: str | None
    datetime_created: datetime | None
    networks: Mapping[ScopedKey, float]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> TaskDetails:
        """Return the details that the call `tasks_details` answers."""
        last = told["last_attempt"]
        attempt = None if last is None else TaskAttempt.of(_with_times(last))
        return cls(
            task=ScopedKey.from_str(told["task"]),
            status=told["status"],
            datetime_status_changed=_time(told["status_changed_at"]),
            reason=told["reason"],
            num_claims=told["n_attempts"],
            current_claim=attempt if attempt is not None and attempt.outcome == "running" else None,
            most_recent_attempt=attempt,
            priority=told["priority"],
            transformation=ScopedKey.from_str(told["transformation"]),
            extends=None if told["extends"] is None else ScopedKey.from_str(told["extends"]),
            creator=told["creator"],
            datetime_created=_time(told["created_at"]),
            networks={ScopedKey.from_str(network): weight for network, weight in told["networks"].items()},
        )


@dataclass(frozen=True, slots=True)
class ProtocolDAGResultRec:
    """Record of a ProtocolDAGResult.

    Attributes
    ----------
    scoped_key : str
        Its id, that of its attempt, which `get_result_unit_recs` and `get_result_logs` take.
    ok : bool
    datetime_created : datetime
        End of its attempt, UTC.
    creator : str or None
        Dispatcher of its attempt; None if it was imported.
    task, transformation : ScopedKey
    estimate_kcal_mol, uncertainty_kcal_mol : float or None
        This result's own; None if it has none.
    exception : str or None
        Type and message of the failure.
    hostname : str or None
    n_bytes : int or None
        Size of its stored object; None if it has none.
    """

    scoped_key: str
    ok: bool
    datetime_created: datetime
    creator: str | None
    task: ScopedKey
    transformation: ScopedKey
    estimate_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    exception: str | None
    hostname: str | None
    n_bytes: int | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ProtocolDAGResultRec:
        """Return the record of a row of the call `task_result_recs`."""
        return cls(
            scoped_key=row["attempt"],
            ok=row["ok"],
            datetime_created=row["ended_at"],
            creator=row["dispatcher"],
            task=ScopedKey.from_str(row["task"]),
            transformation=ScopedKey.from_str(row["transformation"]),
            **{name: row[name] for name in _OF_RESULT},
        )


@dataclass(frozen=True, slots=True)
class ProtocolUnitResultRec:
    """Record of an execution of a ProtocolUnit.

    Attributes
    ----------
    result : str
        Id of the ProtocolDAGResult.
    source_key : str
        gufe key of the unit.
    name : str
    try_number : int
        1 for the first execution within the attempt.
    ok : bool
    exception : str or None
    start_time, end_time : datetime
        UTC.
    has_logs, has_stdout, has_stderr : bool
        Whether something is stored.
    """

    result: str
    source_key: str
    name: str
    try_number: int
    ok: bool
    exception: str | None
    start_time: datetime
    end_time: datetime
    has_logs: bool
    has_stdout: bool
    has_stderr: bool

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ProtocolUnitResultRec:
        """Return the record of a row of the call `result_unit_recs`."""
        return cls(
            result=row["attempt"],
            source_key=row["unit"],
            name=row["name"],
            try_number=row["try_number"],
            ok=row["ok"],
            exception=row["exception"],
            start_time=row["started_at"],
            end_time=row["ended_at"],
            has_logs=row["log_path"] is not None,
            has_stdout=row["stdout_path"] is not None,
            has_stderr=row["stderr_path"] is not None,
        )


_OF_RESULT = ("estimate_kcal_mol", "uncertainty_kcal_mol", "exception", "hostname", "n_bytes")


def _with_times(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose times are not text."""
    return {name: _time(value) if name.endswith("_at") else value for name, value in row.items()}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
