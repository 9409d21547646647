"""What a dispatcher needs of an engine: places to run at, and handles on what runs there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..execution.assignment import Assignment
from ..resources import Resources

__all__ = ["Executor", "Handle", "Pending", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere that an assignment can start now.

    Attributes
    ----------
    name : str
        What `submit` is told.
    capacity : Resources
        Of the whole worker.
    free : Resources
        What attempts that run there have left of it.
    slots : int
        Attempts that it takes, at most.
    hostname : str or None
        None for a job that is still to be submitted.
    ends_in_s : float or None
        Time left to the worker; None if it has no end.
    """

    name: str
    capacity: Resources
    free: Resources
    slots: int
    hostname: str | None = None
    ends_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Workers asked for that have not begun.

    Attributes
    ----------
    jobs : int
    oldest_s : float or None
        How long the one that waits longest has waited; None if there is none, or nobody knows.
    """

    jobs: int = 0
    oldest_s: float | None = None


class Handle(Protocol):
    """One assignment handed out."""

    def done(self) -> bool:
        """Whether it ran, or its worker is lost."""

    def exception(self) -> BaseException | None:
        """Once done: why the worker was lost, or None. A failing Task is none: it leaves a receipt.

        A `NotBegunError` says that nothing was run: the Tasks are not to blame.
        """

    def cancel(self) -> None:
        """Stop it as soon as possible, all of its attempts."""


class Executor(Protocol):
    """Where assignments run.

    Attributes
    ----------
    durable : bool
        Whether what was handed out goes on without this process, so that `find` may be asked for it.
    whole_jobs : bool
        Whether one assignment fills a place: all attempts placed there travel together.
    """

    durable: bool
    whole_jobs: bool

    def places(self, workers: int) -> Sequence[Place]:
        """Tell where attempts can start now.

        Parameters
        ----------
        workers : int
            So many workers would have something to do, those that run included; 0 if there is nothing. An engine
            that can asks for more workers, within its limits, and lets those go that stay without work.
        """

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Handle:
        """Hand an assignment out under a name for people."""

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, Handle]:
        """Find what an earlier dispatcher handed out (attempt -> Scope) and is still under way."""

    def pending(self) -> Pending:
        """Tell of jobs that wait in their queue, as last known."""

    def retire(self, hostnames: Collection[str]) -> None:
        """Start nothing on these hosts and let their workers go once idle. Told all of them each time."""
