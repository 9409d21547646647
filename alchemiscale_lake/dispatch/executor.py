"""The interface of engines: places where assignments can run, and handles on running assignments."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..execution.assignment import Assignment
from ..resources import Resources

__all__ = ["Executor", "Handle", "Pending", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """A worker, or prospective job, where an assignment can start now.

    Attributes
    ----------
    name : str
        Identifies the place to `submit`.
    capacity : Resources
        Resources of the whole worker.
    free : Resources
        Resources not taken by attempts that run there.
    slots : int
        Maximum number of attempts that it accepts.
    hostname : str or None
        None for a job that has not been submitted yet.
    ends_in_s : float or None
        Remaining time of the worker; None if it has no end.
    """

    name: str
    capacity: Resources
    free: Resources
    slots: int
    hostname: str | None = None
    ends_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Workers that were requested but have not started.

    Attributes
    ----------
    jobs : int
    oldest_s : float or None
        Longest waiting time among them; None if there are none, or it is unknown.
    """

    jobs: int = 0
    oldest_s: float | None = None


class Handle(Protocol):
    """One submitted assignment."""

    def done(self) -> bool:
        """Return whether it has run, or its worker is lost."""

    def exception(self) -> BaseException | None:
        """Once done, return why the worker was lost, or None. A failed Task is not an exception: it has a receipt.

        A `NotStartedError` means that nothing was run and the Tasks are not at fault.
        """

    def cancel(self) -> None:
        """Stop it as soon as possible, with all of its attempts."""


class Executor(Protocol):
    """An engine that runs assignments.

    Attributes
    ----------
    durable : bool
        Whether submitted assignments continue without this process, so that `find` can find them.
    whole_jobs : bool
        Whether one assignment fills a place: all attempts placed there are submitted together.
    """

    durable: bool
    whole_jobs: bool

    def places(self, workers: int) -> Sequence[Place]:
        """Return where attempts can start now.

        Parameters
        ----------
        workers : int
            Number of workers with something to do, including those already running; 0 if there is nothing. An engine
            that can scale requests more workers, within its limits, and releases those without work.
        """

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Handle:
        """Submit an assignment under a human-readable name.

        Parameters
        ----------
        assignment : Assignment
            Attempts that one worker runs together, and their settings.
        name : str
            Readable name for logs and queues.
        place : str
            Identifier of the place, as listed by the executor.
        """

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, Handle]:
        """Find running assignments of an earlier dispatcher for these attempts (attempt -> Scope)."""

    def pending(self) -> Pending:
        """Return the jobs that wait in their queue, as last known."""

    def retire(self, hostnames: Collection[str]) -> None:
        """Start nothing on these hosts and release their workers once idle. Called with all of them each time."""
