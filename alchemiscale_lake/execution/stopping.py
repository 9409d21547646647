"""How a worker hears that an attempt is to stop: an object in the attempt's folder of the lake.

It reaches a worker wherever it runs and whatever engine started it, also when that engine has
forgotten it.
"""

from __future__ import annotations

from ..errors import StorageError
from ..store import Lake, has_message, leave_message
from .assignment import AttemptSpec

__all__ = ["ask_to_stop", "is_asked_to_stop"]


def ask_to_stop(lake: Lake, spec: AttemptSpec) -> None:
    """Ask whoever runs this attempt to stop; it does so within a few seconds, and leaves no receipt."""
    leave_message(lake, spec.scope, spec.attempt, "stop", {})


def is_asked_to_stop(lake: Lake, spec: AttemptSpec) -> bool:
    """Whether somebody asked. A storage that does not answer has not asked."""
    try:
        return has_message(lake, spec.scope, spec.attempt, "stop")
    except StorageError:
        return False
