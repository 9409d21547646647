"""When an attempt has to end before its work does: its time is up, or its Task was taken from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

__all__ = ["Cut", "Watch"]


class Cut(StrEnum):
    """Why an attempt is cut short."""

    STOPPED = "stopped"
    TIMEOUT = "timeout"


class Watch:
    """Looks at the clock, and about once a second at whether the attempt is still wanted.

    Parameters
    ----------
    attempt : str
    stop : callable or None
        True for an attempt that is to be dropped.
    timeout_s : float or None
    """

    def __init__(
        self, attempt: str, stop: Callable[[str], bool] | None, timeout_s: float | None, *, poll_s: float = 1.0
    ) -> None:
        self.timeout_s = timeout_s
        self._attempt, self._stop, self._poll_s = attempt, stop, poll_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._next_poll = 0.0
        self._stopped = False

    def cut(self) -> Cut | None:
        """Tell whether, and why, the attempt must end now."""
        now = time.monotonic()
        if self._stop is not None and not self._stopped and now >= self._next_poll:
            self._next_poll = now + self._poll_s
            self._stopped = self._stop(self._attempt)
        if self._stopped:
            return Cut.STOPPED
        return Cut.TIMEOUT if self._deadline is not None and now >= self._deadline else None

    def exception(self, cut: Cut) -> tuple[str, str]:
        """Put a cut into words: type and message of an exception."""
        if cut is Cut.TIMEOUT:
            return ("TimeoutError", f"timeout after {self.timeout_s:g} s")
        return ("Cancelled", "the attempt was stopped")

    def pause_s(self) -> float:
        """How long one may wait before looking again, seconds."""
        left = self._poll_s if self._deadline is None else self._deadline - time.monotonic()
        return max(0.001, min(self._poll_s, left))

    def more_time(self, seconds: float) -> Watch:
        """Return a watch with at least this long to go, for what must be tidied up after the end."""
        left = None if self._deadline is None else max(seconds, self._deadline - time.monotonic())
        return Watch(self._attempt, self._stop, left, poll_s=self._poll_s)
