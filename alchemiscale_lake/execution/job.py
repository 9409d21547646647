"""The job that this process runs in: when it ends, and whether somebody asked it to end now.

A queue job or pod is told its end by the environment; a warning (the queue's, a cancellation, an
eviction) comes as a signal, and whoever catches it calls `stop_all`.
"""

from __future__ import annotations

import os
import time
from typing import Final

__all__ = ["ENDS_AT", "seconds_left", "stop_all", "stop_reason"]

#: Environment variable: when the job ends, seconds since 1970.
ENDS_AT: Final = "ALCHEMISCALE_LAKE_JOB_ENDS_AT"

# a list, and no Event: a second signal within `Event.set` would wait for the first for ever
_reasons: list[str] = []


def seconds_left() -> float | None:
    """Return how long this job lasts, None if it has no end."""
    told = os.environ.get(ENDS_AT)
    try:
        return None if not told else float(told) - time.time()
    except ValueError:
        # set by a job script that could not reckon; the queue's own end then comes as a signal
        return None


def stop_all(reason: str) -> None:
    """End all attempts of this process, and let none begin: it is about to go.

    Returns at once; may be called from a signal handler. Units get SIGTERM and, after the grace,
    SIGKILL; every attempt leaves its release with this reason.
    """
    _reasons.append(reason)


def stop_reason() -> str | None:
    """Return why all attempts of this process are to end, None if they are not."""
    return _reasons[0] if _reasons else None
