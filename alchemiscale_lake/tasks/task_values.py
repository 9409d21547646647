"""Values that users may give to Tasks: priorities, weights, numbers, statuses; and why others are impossible."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Final

__all__ = ["STATUSES_BY_USER", "bad_count", "bad_priority", "bad_user_status", "bad_weight"]

#: Statuses that users may set, and from which statuses.
STATUSES_BY_USER: Final = {
    "waiting": ("waiting", "running", "error"),
    "invalid": ("waiting", "running", "complete", "error", "invalid"),
    "deleted": ("waiting", "running", "complete", "error", "deleted"),
}
_HIGHEST_PRIORITY: Final = 2**63 - 1


def bad_priority(priority: int) -> str | None:
    """Return why no Task can have a priority; None if it can."""
    if _is_a(Integral, priority) and 1 <= priority <= _HIGHEST_PRIORITY:
        return None
    return f"a priority is a whole number from 1 to 2^63 - 1, not {priority!r}"


def bad_count(count: int) -> str | None:
    """Return why there cannot be so many Tasks; None if there can."""
    if _is_a(Integral, count) and count >= 0:
        return None
    return f"a number of Tasks is a whole number from 0, not {count!r}"


def bad_user_status(status: str) -> str | None:
    """Return why users cannot set a status; None if they can."""
    if status in STATUSES_BY_USER:
        return None
    return f"users can set waiting, invalid or deleted; {status!r} is set by execution only"


def bad_weight(weight: float | None) -> str | None:
    """Return why no action can have a weight; None if it can."""
    if weight is None or (_is_a(Real, weight) and 0.0 <= weight <= 1.0):
        return None
    return f"a weight must be between 0 and 1, not {weight!r}"


def _is_a(kind: type, number: object) -> bool:
    # True is an int for isinstance, and a mistake as a number
    return isinstance(number, kind) and not isinstance(number, bool)
