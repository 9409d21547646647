"""Output of a dispatcher: progress while it runs, a report at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ledger.results import Recorded

__all__ = ["DispatchReport", "Progress", "RecordedTask"]


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """A Task that just ended, with a human-readable name."""

    name: str
    result: Recorded


@dataclass(frozen=True, slots=True)
class Progress:
    """Tasks of the selection by status, and what was recorded since the last report."""

    waiting: int
    running: int
    complete: int
    error: int
    recorded: int
    newly: Sequence[RecordedTask]


@dataclass(frozen=True, slots=True)
class DispatchReport:
    """Result of a run of the dispatcher.

    Attributes
    ----------
    claimed, completed, failed, released : int
        Numbers of attempts.
    restarted : int
        Failed Tasks that a restart pattern set back to waiting.
    recovered : int
        Receipts of attempts of an earlier dispatcher.
    in_flight : int
        Attempts that continue without it.
    wall_time_s : float
    """

    claimed: int = 0
    completed: int = 0
    failed: int = 0
    released: int = 0
    restarted: int = 0
    recovered: int = 0
    in_flight: int = 0
    wall_time_s: float = 0.0
