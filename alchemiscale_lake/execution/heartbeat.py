"""The heartbeat of a running attempt: where it runs, its progress, when it last made progress.

Written when an attempt starts, about twice a minute while it runs, and removed once it left a receipt. `dispatch`
decides what an old one means.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from ..store import Lake, leave_message, read_message, remove_message
from .assignment import AttemptSpec

__all__ = ["Beat", "leave_beat", "read_beat", "remove_beat"]

_TIMES = ("at", "started_at", "progress_at")


@dataclass(frozen=True, slots=True)
class Beat:
    """Heartbeat of an attempt.

    Parameters
    ----------
    at, started_at : datetime
        Time of this heartbeat, and start of the attempt.
    progress_at : datetime
        When CPU use or writing was last observed.
    hostname : str
    queue_job : str or None
    units_done, units_total : int
        ProtocolUnits; 0 of 0 before they are planned.
    work : str or None
        Its work folder, which readers may see too if the pool shares its storage.
    """

    at: datetime
    started_at: datetime
    progress_at: datetime
    hostname: str
    queue_job: str | None = None
    units_done: int = 0
    units_total: int = 0
    work: str | None = None


def leave_beat(lake: Lake, spec: AttemptSpec, beat: Beat) -> None:
    """Write a heartbeat; it replaces the last one.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
        The attempt.
    beat : Beat
        Progress to report.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    content = asdict(beat) | {name: getattr(beat, name).isoformat() for name in _TIMES}
    leave_message(lake, spec.scope, spec.attempt, "beat.json", content)


def read_beat(lake: Lake, scope: str, attempt: str) -> Beat | None:
    """Return the last heartbeat of an attempt, None if there is none.

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
    return read_message(lake, scope, attempt, "beat.json", Beat)


def remove_beat(lake: Lake, spec: AttemptSpec) -> None:
    """Remove the last heartbeat.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
        The attempt.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    remove_message(lake, spec.scope, spec.attempt, "beat.json")
