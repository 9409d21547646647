"""Requests of a dispatcher for more Tasks: if nothing is left to do, or workers idle while others still run.

A Strategy counts what is in flight, so it need not wait for the last Task of its round. Asking takes seconds, and the
dispatcher does nothing else meanwhile; so it rarely asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["Refill"]

#: While Tasks run, the next question comes after this many times the duration of the last one, and at least so late, s.
_PER_CALL: Final = 20.0
_LEAST_S: Final = 5.0


class Refill:
    """Asks for more Tasks.

    Parameters
    ----------
    ask : callable or None
        Creates Tasks, and returns whether it did. None: there are no more.
    clock : callable
        Monotonic time, s.
    """

    def __init__(self, ask: Callable[[], bool] | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._next_s = clock() + _LEAST_S

    def now(self) -> bool:
        """Ask; return whether there are more Tasks."""
        if self._ask is None:
            return False
        began = self._clock()
        found = self._ask()
        ended = self._clock()
        self._next_s = ended + max(_LEAST_S, _PER_CALL * (ended - began))
        return found

    def early(self, idle: Callable[[], bool]) -> bool:
        """Ask if it is time to, and workers idle; return whether there are more Tasks.

        Parameters
        ----------
        idle : callable
            Returns whether a worker has nothing to do, and no Task waits for it.
        """
        return self._ask is not None and self._clock() >= self._next_s and idle() and self.now()
