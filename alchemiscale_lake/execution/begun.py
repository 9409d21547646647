"""The word a job leaves when it begins on an assignment that outlives whoever made it.

By it a Task whose worker died is told from one whose job never got so far: a wrong path or a missing
module in the job's environment is no fault of the Task.
"""

from __future__ import annotations

from ..store import Lake, has_message, leave_message, now_utc
from .assignment import Assignment
from .host import hostname, queue_job

__all__ = ["has_begun", "say_begun"]


def say_begun(lake: Lake, assignment: Assignment) -> None:
    """Leave word, for every attempt of an assignment, that its job has begun.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    word = {"at": now_utc().isoformat(), "hostname": hostname(), "queue_job": queue_job()}
    for spec in assignment.attempts:
        leave_message(lake, spec.scope, spec.attempt, "begun.json", word)


def has_begun(lake: Lake, scope: str, attempt: str) -> bool:
    """Whether the job of an attempt has begun.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    return has_message(lake, scope, attempt, "begun.json")
