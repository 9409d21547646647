"""The release: why and where an attempt ended without a receipt.

It provides the reason in the task log when the Task is requeued. A receipt, if there is one, takes precedence.
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
    """Reason for the end of an attempt without a receipt.

    Parameters
    ----------
    kind : str
        "stopped": it, or its worker, was asked to end. "refused": nothing was run, and the Task is requeued unchanged.
        "walltime": stopped because the job ends; the work folder is kept. "unreadable": the lake, or the host, did not
        provide what the attempt needs.
    reason : str
        Human-readable reason.
    hostname : str
        Host of the attempt.
    """

    kind: ReleaseKind
    reason: str
    hostname: str


def leave_release(lake: Lake, spec: AttemptSpec, release: Release) -> None:
    """Write to the lake why an attempt ended.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
        The attempt.
    release : Release
        Why the attempt ended.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    leave_message(lake, spec.scope, spec.attempt, "ended.json", asdict(release))


def read_release(lake: Lake, scope: str, attempt: str) -> Release | None:
    """Return why an attempt ended without a receipt, None if it left no release.

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
    return read_message(lake, scope, attempt, "ended.json", Release)
