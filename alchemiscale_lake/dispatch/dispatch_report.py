"""Output of a dispatcher: progress while it runs, a report at the end, and the counts behind both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..statestore.result_recording import Recorded

__all__ = ["DispatchReport", "Progress", "RecordedTask", "Tally"]


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """A Task that just ended, with a human-readable name.

    Attributes
    ----------
    name : str
        Readable name.
    result : Recorded
        What was recorded.
    """

    name: str
    result: Recorded


@dataclass(frozen=True, slots=True)
class Progress:
    """Tasks of the selection by status, and what was recorded since the last report.

    Attributes
    ----------
    waiting : int
        Actioned Tasks that wait: not those that were cancelled.
    complete, error : int
        Tasks in this status.
    running : int
        Tasks that a worker runs.
    recorded : int
        Results that this dispatcher recorded.
    newly : sequence of RecordedTask
        Since the last report.
    queued : int
        Tasks that are claimed (their status is running) and wait for a worker.
    eta_s : float or None
        Time until all have ended, None if unknown.
    """

    waiting: int
    running: int
    complete: int
    error: int
    recorded: int
    newly: Sequence[RecordedTask]
    queued: int = 0
    eta_s: float | None = None

    @property
    def ended(self) -> int:
        """Tasks that are complete or in error."""
        return self.complete + self.error

    @property
    def total(self) -> int:
        """All of them."""
        return self.ended + self.waiting + self.queued + self.running


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


class Tally:
    """Counts of one dispatcher.

    Attributes
    ----------
    report : DispatchReport
    newly : list of RecordedTask
        Tasks recorded since the list was last taken.
    wall_times_s : list of float
        Of recorded attempts.
    """

    def __init__(self) -> None:
        self.report = DispatchReport()
        self.newly: list[RecordedTask] = []
        self.wall_times_s: list[float] = []

    @property
    def n_recorded(self) -> int:
        """Return the number of results recorded so far."""
        return self.report.completed + self.report.failed

    def count(self, **more: int) -> None:
        """Add to the counts of the report."""
        self.report = replace(self.report, **{name: getattr(self.report, name) + n for name, n in more.items()})

    def recorded(self, tasks: Sequence[RecordedTask], recovered: Collection[str]) -> None:
        """Count newly recorded results; `recovered` are attempts of an earlier dispatcher.

        Parameters
        ----------
        tasks : sequence of RecordedTask
            Tasks that just ended.
        recovered : collection of str
            Identifiers of attempts of an earlier dispatcher.
        """
        self.newly += tasks
        self.wall_times_s += [one.result.wall_time_s for one in tasks]
        good = sum(one.result.ok for one in tasks)
        late = sum(one.result.attempt in recovered for one in tasks)
        self.count(completed=good, failed=len(tasks) - good, recovered=late)

    def take_newly(self) -> list[RecordedTask]:
        """Return the Tasks recorded since the last call."""
        newly, self.newly = self.newly, []
        return newly
