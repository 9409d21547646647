"""Placement: which of the drawn Tasks starts on which worker.

Pure rules. The draw decides the order; here each Task gets a place with enough free resources and remaining time,
preferably not on a host that failed it.
"""

from __future__ import annotations

import math
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
    capacity = _FreeCapacity(places, dict(in_flight or {}), ahead, retire_before_s, whole_jobs)
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


class _FreeCapacity:
    """Free capacity of every place during placement."""

    def __init__(
        self, places: Sequence[Place], in_flight: dict[str, int], ahead: int, retire_before_s: float, whole_jobs: bool
    ) -> None:
        self._places = {place.name: place for place in places if place.slots > 0}
        self._in_flight, self._ahead, self._margin_s, self._whole = in_flight, ahead, retire_before_s, whole_jobs
        self._busy_s = dict.fromkeys(self._places, 0.0)
        self._kept: set[str] = set()
        self._may_keep = True

    @property
    def is_full(self) -> bool:
        return self._kept.issuperset(self._places)

    def take(self, draft: Draft, *, shunned: bool) -> str | None:
        fitting = [place for place in self._open(draft) if (place.hostname in draft.avoid) == shunned]
        if not fitting:
            if not shunned:
                self._keep_for(draft)
            return None
        best = min(fitting, key=lambda p: (p.free.gpus, p.free.cores, p.name))
        left = best.free.minus(draft.resources)
        self._places[best.name] = replace(best, free=left, slots=best.slots - 1)
        if best.slots == 1:
            del self._places[best.name]
        self._in_flight[best.name] = self._in_flight.get(best.name, 0) + 1
        self._busy_s[best.name] += (draft.duration_s or 0.0) * draft.resources.share_of(best.capacity)
        return best.name

    def _open(self, draft: Draft) -> Iterator[Place]:
        for name, place in self._places.items():
            if name not in self._kept and self._fits(place, draft) and self._has_time(place, draft):
                yield place

    def _fits(self, place: Place, draft: Draft) -> bool:
        if not draft.resources.fits_in(place.capacity):
            return False
        if self._whole or draft.resources.fits_in(place.free):
            return True
        at_once = math.floor(1.0 / max(draft.resources.share_of(place.capacity), 1e-3) + 1e-9)
        return self._ahead > 0 and self._in_flight.get(place.name, 0) < at_once + self._ahead

    def _has_time(self, place: Place, draft: Draft) -> bool:
        if place.ends_in_s is None:
            return True
        left_s = place.ends_in_s - self._margin_s
        behind_s = self._busy_s[place.name] if self._whole else 0.0
        return left_s > 0 and behind_s + (draft.duration_s or 0.0) <= left_s

    def _keep_for(self, draft: Draft) -> None:
        """Reserve a place for the first Task that is too large for the free capacity everywhere."""
        could = [
            place
            for place in self._places.values()
            if place.hostname not in draft.avoid
            and draft.resources.fits_in(place.capacity)
            and self._has_time(place, draft)
        ]
        if could and self._may_keep:
            self._may_keep = False
            self._kept.add(max(could, key=lambda p: (p.free.gpus, p.free.cores, p.name)).name)
