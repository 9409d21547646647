"""Placement: which of the drawn Tasks starts on which worker.

Pure rules. The draw decides the order; here each Task gets a place with enough free resources and remaining time,
preferably not on a host that failed it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..resources import Resources
from .executor import Place

__all__ = ["Draft", "place_drafts", "workers_wanted"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A claimable Task with its needs.

    Attributes
    ----------
    task : str
        ScopedKey.
    resources : Resources
        Needs.
    duration_s : float or None
        None if unknown.
    avoid : frozenset of str
        Hosts where it failed.
    """

    task: str
    resources: Resources
    duration_s: float | None = None
    avoid: frozenset[str] = frozenset()


def place_drafts(
    drafts: Sequence[Draft],
    places: Sequence[Place],
    *,
    in_flight: Mapping[str, int] | None = None,
    ahead: int = 0,
    retire_before_s: float = 0.0,
    whole_jobs: bool = False,
) -> dict[str, str]:
    """Find a place for each Task, in the order drawn.

    If a Task fits an idle worker but no worker has enough free capacity, the worker with the most is reserved for it
    during this turn, so that small Tasks never starve a large one. A host that failed a Task gets it only if no other
    drawn Task wants the capacity.

    Parameters
    ----------
    drafts : sequence of Draft
        Tasks in the order drawn.
    places : sequence of Place
        Places with free capacity.
    in_flight : mapping
        Number of attempts already at each place.
    ahead : int
        Number of attempts that may wait at each place behind the running ones.
    retire_before_s : float, default 0.0
        Tasks are stopped this long before the end of a job, s.
    whole_jobs : bool
        Whether the attempts of a place form one job, which runs them sequentially where they do not fit together.

    Returns
    -------
    dict
        Task -> name of its place, in the order drawn; Tasks without a place are left out.
    """
    capacity = _FreeCapacity(places, in_flight or {}, ahead, retire_before_s, whole_jobs)
    placed: dict[str, str] = {}
    for shunned in (False, True):
        for draft in drafts:
            if draft.task not in placed and (found := capacity.take(draft, shunned=shunned)) is not None:
                placed[draft.task] = found
            if capacity.is_full:
                break
    return {draft.task: placed[draft.task] for draft in drafts if draft.task in placed}


def workers_wanted(needs: Sequence[Resources], n_tasks: int, capacity: Resources, most: int) -> int:
    """Return how many workers this number of Tasks would occupy.

    Parameters
    ----------
    needs : sequence of Resources
        Needs of a sample of the Tasks.
    n_tasks : int
        Number of Tasks.
    capacity : Resources
        Resources of one worker.
    most : int
        Maximum to return.
    """
    shares = [share for n in needs if math.isfinite(share := n.share_of(capacity))]
    if not shares or n_tasks < 1:
        return 0
    # a share of 0.6 still takes a worker of its own
    each = [1.0 / math.floor(1.0 / share + 1e-9) if share > 0 else 0.0 for share in shares]
    return min(most, max(1, math.ceil(n_tasks * sum(each) / len(each) - 1e-9)))


@dataclass(frozen=True, slots=True)
class _Kind:
    """What decides whether a Task fits a place; thousands of places may be alike."""

    capacity: Resources
    free: Resources
    ends_in_s: float | None
    in_flight: int
    busy_s: float

    @property
    def rank(self) -> tuple[float, int]:
        return self.free.gpus, self.free.cores


class _FreeCapacity:
    """Free capacity of every place during placement."""

    def __init__(
        self, places: Sequence[Place], in_flight: Mapping[str, int], ahead: int, retire_before_s: float, whole: bool
    ) -> None:
        self._ahead, self._margin_s, self._whole = ahead, retire_before_s, whole
        self._slots = {place.name: place.slots for place in places if place.slots > 0}
        self._hostname = {place.name: place.hostname for place in places}
        self._alike: dict[_Kind, list[str]] = {}
        for place in sorted(places, key=lambda place: place.name):
            if place.slots > 0:
                running = in_flight.get(place.name, 0)
                kind = _Kind(place.capacity, place.free, place.ends_in_s, running, 0.0)
                self._alike.setdefault(kind, []).append(place.name)
        self._may_keep = True

    @property
    def is_full(self) -> bool:
        return not self._alike

    def take(self, draft: Draft, *, shunned: bool) -> str | None:
        if shunned and not draft.avoid:
            return None
        found = min(self._fitting(draft, shunned=shunned), key=lambda of: (*of[0].rank, of[1]), default=None)
        if found is None:
            if not shunned:
                self._keep_for(draft)
            return None
        kind, name = found
        self._remove(kind, name)
        self._slots[name] -= 1
        if self._slots[name]:
            busy_s = kind.busy_s
            if self._whole:
                busy_s += (draft.duration_s or 0.0) * draft.resources.share_of(kind.capacity)
            left = kind.free.minus(draft.resources)
            insort(
                self._alike.setdefault(replace(kind, free=left, in_flight=kind.in_flight + 1, busy_s=busy_s), []), name
            )
        return name

    def _fitting(self, draft: Draft, *, shunned: bool) -> Iterator[tuple[_Kind, str]]:
        """Yield the first place of every kind that a Task fits."""
        for kind, names in self._alike.items():
            if self._fits(kind, draft) and self._has_time(kind, draft):
                allowed = (name for name in names if (self._hostname[name] in draft.avoid) == shunned)
                if (first := next(allowed, None)) is not None:
                    yield kind, first

    def _fits(self, kind: _Kind, draft: Draft) -> bool:
        if not draft.resources.fits_in(kind.capacity):
            return False
        if self._whole or draft.resources.fits_in(kind.free):
            return True
        at_once = math.floor(1.0 / max(draft.resources.share_of(kind.capacity), 1e-3) + 1e-9)
        return self._ahead > 0 and kind.in_flight < at_once + self._ahead

    def _has_time(self, kind: _Kind, draft: Draft) -> bool:
        if kind.ends_in_s is None:
            return True
        left_s = kind.ends_in_s - self._margin_s
        return left_s > 0 and kind.busy_s + (draft.duration_s or 0.0) <= left_s

    def _keep_for(self, draft: Draft) -> None:
        """Reserve a place for the first Task that is too large for the free capacity everywhere."""
        if not self._may_keep:
            return
        could = [
            (*kind.rank, name, kind)
            for kind, names in self._alike.items()
            if draft.resources.fits_in(kind.capacity) and self._has_time(kind, draft)
            for name in names
            if self._hostname[name] not in draft.avoid
        ]
        if could:
            self._may_keep = False
            _, _, name, kind = max(could, key=lambda one: one[:3])
            self._remove(kind, name)

    def _remove(self, kind: _Kind, name: str) -> None:
        names = self._alike[kind]
        del names[bisect_left(names, name)]
        if not names:
            del self._alike[kind]
