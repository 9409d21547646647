"""Pace of a dispatcher: how long it rests between turns.

A turn costs a few commits, however many Tasks it settles, so a busy dispatcher rests for most of the time; but
not while its workers run out of work.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from .picture import InFlight

__all__ = ["Pace", "rest", "tasks_ahead"]

#: An idle dispatcher polls less and less often, down to this interval; no pause is longer.
_LONGEST_S: Final = 5.0
#: After a turn in which something changed, the next one waits for this many times its duration.
_PER_TURN: Final = 7.0
#: Number of assignments, the oldest, that show whether workers run out of work.
_WATCHED: Final = 256
#: Tasks that take longer are not queued behind others, since queuing withholds them from other workers, s.
_SHORT_S: Final = 60.0
#: Duration of the work that is queued, at least this and this many times the time between two turns: half of it ends
#: before the next one.
_AHEAD_S: Final = 3.0
_AHEAD_TURNS: Final = 2.0
_MOST_AHEAD: Final = 100
#: Number of ended Tasks, the last, whose duration counts.
_RECENT: Final = 20


class Pace:
    """Pauses of one dispatcher.

    Parameters
    ----------
    poll_s : float
        Shortest pause, s.
    heartbeat_s : float
        Interval of checks of claims and cancellations, s.
    """

    def __init__(self, poll_s: float, heartbeat_s: float) -> None:
        self._poll_s = self._idle_s = poll_s
        self._longest_s = max(poll_s, min(_LONGEST_S, heartbeat_s / 2))

    def cycle_s(self, turn_s: float) -> float:
        """Return the time from the start of a turn of this duration to the next one, s, while workers have work.

        Not as observed: workers that run out of work shorten it, and would then get no more work.
        """
        return turn_s + self._paced_s(turn_s)

    def pause_s(self, turn_s: float, *, moved: bool, busy: bool) -> float:
        """Return the pause after a turn, s.

        Parameters
        ----------
        turn_s : float
            Duration of the turn, s.
        moved : bool
            Whether it changed anything.
        busy : bool
            Whether attempts of this dispatcher are in flight.
        """
        if moved:
            self._idle_s = self._poll_s
            return self._paced_s(turn_s) if busy else self._poll_s
        self._idle_s = min(1.5 * self._idle_s, self._longest_s)
        return self._idle_s

    def _paced_s(self, turn_s: float) -> float:
        return min(max(self._poll_s, _PER_TURN * turn_s), self._longest_s)


def rest(stop: threading.Event, for_s: float, in_flight: Mapping[str, InFlight], *, poll_s: float) -> None:
    """Wait, at most until half of the oldest assignments in flight have ended.

    Parameters
    ----------
    stop : threading.Event
        Ends the wait.
    for_s : float
        Longest wait, s.
    in_flight : mapping of str to InFlight
        Attempts of this dispatcher; empty if their ends need not be awaited.
    poll_s : float
        Interval of looks, s; also the shortest wait.
    """
    handles = list(islice({id(one.handle): one.handle for one in in_flight.values()}.values(), _WATCHED))
    until = time.monotonic() + for_s
    while not stop.wait(max(0.0, min(poll_s, until - time.monotonic()))) and time.monotonic() < until:
        if handles and 2 * sum(handle.done() for handle in handles) >= len(handles):
            return


def tasks_ahead(wall_times_s: Sequence[float], cycle_s: float, cores: int) -> int:
    """Return the number of Tasks to queue per worker behind running ones, so that it has work until the next turn.

    Parameters
    ----------
    wall_times_s : sequence of float
        Durations of Tasks that have ended, s.
    cycle_s : float
        Time between the starts of two turns, s.
    cores : int
        Cores of a worker.
    """
    recent = wall_times_s[-_RECENT:]
    if not recent or statistics.fmean(recent) > _SHORT_S:
        return 0
    # the first ones also waited for processes to start
    typical_s = max(statistics.median(recent), 1e-3)
    return min(math.ceil(cores * max(_AHEAD_S, _AHEAD_TURNS * cycle_s) / typical_s), _MOST_AHEAD)
