"""The job that this process runs in: when it ends, and whether it was asked to end now.

The environment provides the end of a queue job or pod; a warning (from the queue, a cancellation, an eviction) comes
as a signal, whose handler calls `stop_all`.
"""

from __future__ import annotations

import os
import time
from typing import Final

__all__ = ["ENDS_AT", "seconds_left", "stop_all", "stop_reason"]

#: Environment variable with the end of the job, seconds since 1970.
ENDS_AT: Final = "ALCHEMISCALE_LAKE_JOB_ENDS_AT"

# a list rather than an Event: a second signal within `Event.set` would wait for the first for ever
_reasons: list[str] = []


def seconds_left() -> float | None:
    """Return the remaining time of this job, None if it has no end."""
    told = os.environ.get(ENDS_AT)
    try:
        return None if not told else float(told) - time.time()
    except ValueError:
        # set by a job script that failed to compute it; the queue then signals the end
        return None


def stop_all(reason: str) -> None:
    """End all attempts of this process, and let none start: it is about to end.

    Returns at once; may be called from a signal handler. Units get SIGTERM and, after the grace period, SIGKILL; every
    attempt leaves a release with this reason.
    """
    _reasons.append(reason)


def stop_reason() -> str | None:
    """Return why all attempts of this process must end, None if they need not."""
    return _reasons[0] if _reasons else None
