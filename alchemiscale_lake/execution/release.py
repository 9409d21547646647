"""The word an attempt leaves that ended without a receipt: why, and where.

Whoever gives the Task back reads it for the reason in the task log. A receipt, where there is one,
counts instead.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from ..store import Lake, leave_message, read_message
from .assignment import AttemptSpec

__all__ = ["Release", "ReleaseKind", "leave_release", "read_release"]

ReleaseKind = Literal["stopped", "refused", "walltime", "unreadable"]


@dataclass(frozen=True, slots=True)
class Release:
    """Why an attempt ended without a receipt.

    Parameters
    ----------
    kind : str
        "stopped": somebody wanted it, or its worker, to end. "refused": nothing was run, the Task
        goes back untouched. "walltime": stopped because the job ends; the work folder is kept.
        "unreadable": the lake, or the host, did not give what the attempt needs.
    reason : str
        For people.
    hostname : str
        Where.
    """

    kind: ReleaseKind
    reason: str
    hostname: str


def leave_release(lake: Lake, spec: AttemptSpec, release: Release) -> None:
    """Say in the lake why an attempt ended.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    leave_message(lake, spec.scope, spec.attempt, "ended.json", asdict(release))


def read_release(lake: Lake, scope: str, attempt: str) -> Release | None:
    """Return why an attempt ended without a receipt, None if it did not say.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    return read_message(lake, scope, attempt, "ended.json", Release)
