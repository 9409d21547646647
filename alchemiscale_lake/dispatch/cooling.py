"""Places and Tasks that are avoided for a while, because a worker refused an attempt.

Immutable: a refusal leads to a new value. Times are those of the local monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Cooling", "PlaceRefusal"]

_COOL_DOWN_S: Final = 30.0
_LONGEST_COOL_DOWN_S: Final = 3600.0
_DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True)
class PlaceRefusal:
    """An attempt that was not run.

    Attributes
    ----------
    place, task : str
    is_counted : bool
        Whether the Task cools down for longer after each such refusal.
    """

    place: str
    task: str
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Cooling:
    """Places and Tasks to avoid, each until a time.

    Attributes
    ----------
    until_s : mapping
        By name of a place, or Task.
    refusals : mapping
        Number of counted refusals by Task.
    """

    until_s: Mapping[str, float] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def recalled(cls, refusals: Mapping[str, tuple[int, float]], at_s: float) -> Cooling:
        """Return what to avoid after refusals seen by other or earlier dispatchers.

        Parameters
        ----------
        refusals : mapping
            Number of refusals, and seconds since the last one, by Task.
        at_s : float
        """
        # a refusal in the future comes from a clock that is ahead: the cool-down starts now
        until_s = {task: at_s + _cool_down_s(n) - max(ago_s, 0.0) for task, (n, ago_s) in refusals.items()}
        return cls(until_s, {task: n for task, (n, _) in refusals.items()})

    def after(self, refusals: Iterable[PlaceRefusal], at_s: float) -> Cooling:
        """Return what to avoid after these refusals; cool-downs that are over are removed.

        Parameters
        ----------
        refusals : iterable of PlaceRefusal
            Tasks that were refused, and where.
        at_s : float
            Time, as of `time.monotonic`.
        """
        until_s, counts = {name: until for name, until in self.until_s.items() if until > at_s}, dict(self.refusals)
        for refusal in refusals:
            until_s[refusal.place] = at_s + _COOL_DOWN_S
            # a Task that is refused everywhere would otherwise be claimed and released for ever
            counts[refusal.task] = counts.get(refusal.task, 0) + refusal.is_counted
            until_s[refusal.task] = at_s + _cool_down_s(counts[refusal.task] if refusal.is_counted else 1)
        return Cooling(until_s, counts)

    def active(self, at_s: float) -> frozenset[str]:
        """Return the names of places and Tasks to avoid now."""
        return frozenset(name for name, until in self.until_s.items() if until > at_s)


def _cool_down_s(refusals: int) -> float:
    return min(_COOL_DOWN_S * 2.0 ** min(refusals - 1, _DOUBLINGS), _LONGEST_COOL_DOWN_S)
