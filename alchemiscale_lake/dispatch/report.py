"""What a dispatcher tells: progress while it works, a report at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ledger.results import Recorded

__all__ = ["DispatchReport", "Progress", "RecordedTask"]


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """A Task that just ended, with its science name."""

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
    """What a run of the dispatcher did.

    Attributes
    ----------
    claimed, completed, failed, released : int
        Attempts.
    restarted : int
        Failed Tasks that a restart pattern sent back to waiting.
    recovered : int
        Receipts left by attempts of an earlier dispatcher.
    in_flight : int
        Attempts that go on without it.
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
