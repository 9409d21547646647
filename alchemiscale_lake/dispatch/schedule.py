"""Schedule of a dispatcher's checks: what is due in a turn, by the local monotonic clock."""

from __future__ import annotations

import math
from typing import Final

from .picture import Due

__all__ = ["Schedule"]

#: Intervals between reads of the heartbeats of attempts in flight, and between searches for receipts of attempts
#: without a claim: recent attempts, all attempts.
_SILENCE_S: Final = 120.0
_SWEEP_S: Final = 120.0
_SWEEP_ALL_S: Final = 3600.0


class Schedule:
    """Times of the last checks of one dispatcher.

    Parameters
    ----------
    heartbeat_s : float
        Interval of checks of leases and cancellations.
    at_s : float
        Time now, of the clock that is used throughout.
    """

    def __init__(self, heartbeat_s: float, at_s: float) -> None:
        self._heartbeat_s = heartbeat_s
        self._heartbeat_at = self._silence_at = -math.inf
        self._swept_at = self._swept_all_at = at_s
        self._has_started = self._is_shaken = False

    def shake(self) -> None:
        """Note that a turn failed: what it was to check is due again."""
        self._is_shaken = True

    def due(self, at_s: float) -> Due:
        """Return the checks that are due."""
        heartbeat = self._is_shaken or not self._has_started or at_s - self._heartbeat_at >= self._heartbeat_s
        sweep = heartbeat and at_s - self._swept_at >= _SWEEP_S
        return Due(
            start=not self._has_started,
            after_outage=self._is_shaken,
            heartbeat=heartbeat,
            silence=heartbeat and at_s - self._silence_at >= _SILENCE_S,
            sweep=sweep,
            sweep_all=sweep and at_s - self._swept_all_at >= _SWEEP_ALL_S,
        )

    def passed(self, due: Due, at_s: float) -> None:
        """Note that these checks were made at this time.

        Parameters
        ----------
        due : Due
            Checks that were made.
        at_s : float
            Time, as of `time.monotonic`.
        """
        self._has_started |= due.start
        self._is_shaken = self._is_shaken and not due.after_outage
        self._heartbeat_at = at_s if due.heartbeat else self._heartbeat_at
        self._silence_at = at_s if due.silence else self._silence_at
        self._swept_at = at_s if due.sweep else self._swept_at
        self._swept_all_at = at_s if due.sweep_all else self._swept_all_at
