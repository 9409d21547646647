"""Rules on leases and heartbeats: which to renew, which have expired, which attempts are silent.

Pure rules. Clocks of other machines are not used. A lease is a duration: it has expired if it was not renewed for that
long since this dispatcher first saw it (`sightings.py`). A heartbeat is old if it has not changed for long enough. So
a claimer whose clock is ahead, behind or reset neither blocks its Task nor loses it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Final

from ..tasks import TaskState
from .picture import InFlight, OtherAttempt, Silence

__all__ = [
    "SILENCE_S",
    "due_for_renewal",
    "is_expired",
    "is_late",
    "lease_sign",
    "renewed_lease_s",
    "silent_attempts",
    "watch_s",
]

#: An attempt whose heartbeat has not changed for this long is lost, whatever its engine reports.
SILENCE_S: Final = 600.0
#: Maximum additional time for which an expired lease is watched before it is given up.
_WATCH_S: Final = 120.0
#: Fraction of a lease after which it is renewed.
_DUE_AFTER: Final = 0.5
#: From this number of attempts on, leases are longer and renewed less often: thousands of renewals a minute would
#: flood the log.
_MANY: Final = 1000
_LONGEST_LEASE_S: Final = 1800.0
#: Maximum number of leases renewed in one turn, so that no turn takes long; the rest follow in the next ones.
_AT_MOST: Final = 1000


def watch_s(lease_s: float) -> float:
    """Return how long a dispatcher with these leases watches the expired lease of another."""
    return min(_WATCH_S, 2 * lease_s)


def renewed_lease_s(lease_s: float, n_in_flight: int) -> float:
    """Return the duration of the next leases of a dispatcher with this many attempts in flight.

    Parameters
    ----------
    lease_s : float
        Shortest duration of a lease, s.
    n_in_flight : int
        Number of attempts whose leases are renewed.
    """
    if n_in_flight <= _MANY:
        return lease_s
    return max(lease_s, min(_LONGEST_LEASE_S, lease_s * n_in_flight / _MANY))


def due_for_renewal(in_flight: Mapping[str, InFlight], lease_s: float, at_s: float) -> set[str]:
    """Return attempts whose lease is to be renewed: at half of its duration, by the local monotonic clock.

    The oldest come first, and not all at once if there are thousands. The expiry in the log is not used: if a clock
    were set back, the leases would expire.

    Parameters
    ----------
    in_flight : mapping
    lease_s : float
    at_s : float
        Monotonic time now.
    """
    limit_s = at_s - _DUE_AFTER * lease_s
    due = [(one.leased_at_s, attempt) for attempt, one in in_flight.items() if one.leased_at_s <= limit_s]
    return {attempt for _, attempt in heapq.nsmallest(_AT_MOST, due)}


def is_late(other: OtherAttempt) -> bool:
    """Return whether a lease was not renewed for its duration."""
    return other.lease_s is not None and other.lease_unchanged_s >= other.lease_s


def is_expired(other: OtherAttempt, watch_s: float) -> bool:
    """Return whether the lease is late, and neither a renewal nor a heartbeat was observed for `watch_s` since.

    Parameters
    ----------
    other : OtherAttempt
        Attempt of another dispatcher, as observed.
    watch_s : float
        Time for which it is observed before it is given up, s.
    """
    return is_late(other) and other.signs_unchanged_s is not None and other.signs_unchanged_s >= watch_s


def silent_attempts(silences: Mapping[str, Silence]) -> set[str]:
    """Return attempts that wrote a heartbeat before, but none for long."""
    return {attempt for attempt, silence in silences.items() if silence.unchanged_s >= SILENCE_S}


def lease_sign(state: TaskState) -> str:
    """Return a text that changes with every renewal of a lease; it is never interpreted as a time."""
    return "" if state.lease_expires_at is None else state.lease_expires_at.isoformat()
