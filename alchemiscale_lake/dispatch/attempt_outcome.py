"""Outcome of an attempt that ended without a receipt: its Task is requeued, or fails if that happens too often.

Pure rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import NotStartedError

__all__ = ["COUNTED", "LOST", "UNTOUCHED", "AttemptEnding", "failure_of", "reported_ending"]


@dataclass(frozen=True, slots=True)
class AttemptEnding:
    """Ending of an attempt without a receipt.

    Attributes
    ----------
    kind : str
        `lost`, or the kind of its release: `stopped`, `refused`, `walltime`, `unreadable`.
    reason : str
    """

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


#: Ending of an attempt without any report.
LOST: Final = AttemptEnding("lost", "its worker or job ended without a report")
#: Kinds of endings after which a Task should run elsewhere, or later.
UNTOUCHED: Final = ("refused", "unreadable", "stopped")
#: Number of endings of one kind, without a result in between, after which the Task fails.
COUNTED: Final = {"lost": 3, "walltime": 20}
_FAILURE: Final = {
    "lost": "WorkerLost: {n} workers in a row ended while running it; the last: {reason}",
    "walltime": "WalltimeExceeded: {n} jobs in a row ended before it did; increase the walltime of its pool",
}


def reported_ending(error: BaseException | None) -> AttemptEnding:
    """Return the ending that an engine reports: the exception of its handle."""
    if error is None:
        return LOST
    if isinstance(error, NotStartedError):
        return AttemptEnding("refused", str(error))
    return AttemptEnding("lost", f"{type(error).__name__}: {error}")


def failure_of(ending: AttemptEnding, earlier: int) -> str | None:
    """Return the exception with which the Task fails; None if it is requeued.

    Parameters
    ----------
    ending : AttemptEnding
    earlier : int
        Number of earlier endings of this kind in a row.
    """
    most = COUNTED.get(ending.kind)
    if most is None or earlier + 1 < most:
        return None
    return _FAILURE[ending.kind].format(n=earlier + 1, reason=ending.reason)
