"""Start markers: a job writes one for each attempt when it starts a stored assignment.

They distinguish a Task whose worker died from one whose job never started its work: a wrong path or a missing module
in the job's environment is not the Task's fault.
"""

from __future__ import annotations

from ..store import Lake, has_message, leave_message, now_utc
from .assignment import Assignment
from .host import hostname, queue_job

__all__ = ["has_started", "write_start_marker"]


def write_start_marker(lake: Lake, assignment: Assignment) -> None:
    """Write the start marker for every attempt of an assignment.

    Parameters
    ----------
    lake : Lake
    assignment : Assignment
        Attempts that one worker runs together, and their settings.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    word = {"at": now_utc().isoformat(), "hostname": hostname(), "queue_job": queue_job()}
    for spec in assignment.attempts:
        leave_message(lake, spec.scope, spec.attempt, "begun.json", word)


def has_started(lake: Lake, scope: str, attempt: str) -> bool:
    """Return whether an attempt has a start marker.

    Parameters
    ----------
    lake : Lake
    scope : str
        Scope of the attempt's Task.
    attempt : str
        Identifier of the attempt.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    return has_message(lake, scope, attempt, "begun.json")
