"""Pace of a dispatcher: how long it rests between turns.

A turn costs a few commits, however many Tasks it settles, so a busy dispatcher rests for most of the time; but
not while its workers run out of work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from itertools import islice
from typing import Final

from .picture import InFlight

__all__ = ["pause_s", "rest"]

#: An idle dispatcher polls less and less often, down to this interval; no pause is longer.
_LONGEST_S: Final = 5.0
#: After a turn in which something changed, the next one waits for this many times its duration.
_PER_TURN: Final = 7.0
#: Number of assignments, the oldest, that show whether workers run out of work.
_WATCHED: Final = 256


def pause_s(last_s: float, turn_s: float, *, moved: bool, poll_s: float, heartbeat_s: float) -> float:
    """Return the pause after a turn, s.

    Parameters
    ----------
    last_s : float
        The last pause, s.
    turn_s : float
        Duration of the turn, s.
    moved : bool
        Whether it changed anything.
    poll_s : float
        Shortest pause, s.
    heartbeat_s : float
        Interval of checks of claims and cancellations, s.
    """
    longest_s = max(poll_s, min(_LONGEST_S, heartbeat_s / 2))
    return min(max(poll_s, _PER_TURN * turn_s) if moved else 1.5 * last_s, longest_s)


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
