"""Retries during an outage of the lake or the queue."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from ..errors import TransientError

__all__ = ["Outage"]

_log = logging.getLogger(__name__)
_GIVE_UP_S: Final = 600.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0


class Outage:
    """Backoff state between two successful turns.

    Parameters
    ----------
    give_up_s : float
        Maximum duration of an outage.
    first_pause_s : float
        Pause before the first retry; doubled for every further one, up to half a minute.
    clock : callable
        Monotonic clock, seconds.
    """

    def __init__(
        self,
        *,
        give_up_s: float = _GIVE_UP_S,
        first_pause_s: float = _FIRST_PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._give_up_s, self._first_pause_s, self._clock = give_up_s, first_pause_s, clock
        self._since: float | None = None
        self._pause_s = first_pause_s

    def pause_after(self, error: TransientError) -> float:
        """Return how long to wait before the next try.

        Raises
        ------
        TransientError
            The given error, if the outage has lasted too long.
        """
        now = self._clock()
        if self._since is None:
            self._since, self._pause_s = now, self._first_pause_s
        pause_s = self._pause_s
        if now + pause_s - self._since > self._give_up_s:
            _log.error("no response for %.0f s; giving up", now - self._since)
            raise error
        _log.warning("%s; trying again in %.0f s", error, pause_s)
        self._pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return pause_s

    def over(self) -> None:
        """Record a successful turn."""
        if self._since is not None:
            _log.warning("responding again after %.0f s", self._clock() - self._since)
        self._since = None
