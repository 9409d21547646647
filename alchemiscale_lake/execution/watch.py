"""Conditions that end an attempt before its work is done: timeout, end of its job, or a stop request."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from enum import StrEnum
from typing import Any, Final

from .job import seconds_left, stop_reason

__all__ = ["Cut", "Watch"]

#: Maximum delay in noticing a job's end, or a signal to it.
_LOOK_EVERY_S: Final = 0.5


class Cut(StrEnum):
    """Reason why an attempt is stopped early."""

    STOPPED = "stopped"
    WALLTIME = "walltime"
    TIMEOUT = "timeout"

    @property
    def releases(self) -> bool:
        """Return whether the Task is requeued without a result; a timeout is the Task's own failure."""
        return self is not Cut.TIMEOUT


class Watch:
    """Watches the clocks and the stop request of an attempt.

    Parameters
    ----------
    told : Future
        Done once the attempt is to stop.
    timeout_s : float or None
        Counted from now.
    retire_before_s : float
        Time before the end of this process's job, if any, at which the attempt ends.
    """

    def __init__(self, told: Future[None], timeout_s: float | None = None, retire_before_s: float = 0.0) -> None:
        self.timeout_s = timeout_s
        self._told, self._retire_before_s = told, retire_before_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s

    def cut(self) -> Cut | None:
        """Return why the attempt must end now, None if it need not."""
        if self._told.done() or stop_reason() is not None:
            return Cut.STOPPED
        left_s = seconds_left()
        if left_s is not None and left_s <= self._retire_before_s:
            return Cut.WALLTIME
        return Cut.TIMEOUT if self._deadline is not None and time.monotonic() >= self._deadline else None

    def reason(self, cut: Cut) -> str:
        """Return the reason as text."""
        if cut is Cut.TIMEOUT:
            return f"timeout after {self.timeout_s:g} s"
        if cut is Cut.WALLTIME:
            return f"stopped {self._retire_before_s:g} s before the end of its job"
        return stop_reason() or "the attempt was stopped"

    def exception(self, cut: Cut) -> tuple[str, str]:
        """Return the reason as type and message of an exception."""
        return ("TimeoutError" if cut is Cut.TIMEOUT else "Cancelled", self.reason(cut))

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Wait for one of these, at most until the next check; return those that are done."""
        wanted = set(futures)
        left_s = _LOOK_EVERY_S if self._deadline is None else max(0.001, self._deadline - time.monotonic())
        done, _ = wait(wanted | {self._told}, timeout=min(_LOOK_EVERY_S, left_s), return_when=FIRST_COMPLETED)
        return done & wanted

    def more_time(self, seconds: float) -> Watch:
        """Return a watch with at least this much time left, for clean-up after the end."""
        left = None if self._deadline is None else max(seconds, self._deadline - time.monotonic())
        return Watch(self._told, left, self._retire_before_s)
