"""Stop requests for attempts: an object in the attempt's folder in the lake.

It reaches a worker wherever it runs and whatever engine started it, even if that engine has lost track of it.
"""

from __future__ import annotations

from ..errors import StorageError
from ..store import Lake, has_message, leave_message
from .assignment import AttemptSpec

__all__ = ["ask_to_stop", "is_asked_to_stop"]


def ask_to_stop(lake: Lake, spec: AttemptSpec) -> None:
    """Ask the worker of this attempt to stop; it does so within a few seconds, and leaves no receipt.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
        The attempt.
    """
    leave_message(lake, spec.scope, spec.attempt, "stop", {})


def is_asked_to_stop(lake: Lake, spec: AttemptSpec) -> bool:
    """Return whether a stop was requested; False if the storage does not answer.

    Parameters
    ----------
    lake : Lake
    spec : AttemptSpec
        The attempt.
    """
    try:
        return has_message(lake, spec.scope, spec.attempt, "stop")
    except StorageError:
        return False
