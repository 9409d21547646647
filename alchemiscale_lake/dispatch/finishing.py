"""When a list of Tasks would be done by so many workers: list scheduling, many possible worlds at once.

Pure arithmetic. How long Tasks take comes from `pricing`, who takes which from `tasks.fitness`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Crew", "Finish", "finish"]

Hours = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of one pool, for Tasks of one list.

    Attributes
    ----------
    slots : int
        Tasks that run there at a time.
    hours : ndarray, shape (worlds, Tasks)
        How long each would take there; infinite if the pool does not take it.
    busy : ndarray, shape (worlds, Tasks that run)
        How long each Task that runs there goes on.
    rates : ndarray, shape (Tasks, kinds)
        What an hour of each Task uses up there, such as GPU-hours and money.
    """

    slots: int
    hours: Hours
    busy: Hours
    rates: Hours


@dataclass(frozen=True, slots=True)
class Finish:
    """What came of it.

    Attributes
    ----------
    wall_h : ndarray, shape (worlds,)
        Until the last Task ends; infinite if nobody takes some Task.
    used : mapping of str to ndarray, shape (worlds, kinds)
        What the Tasks of the list use up in each pool, added up.
    """

    wall_h: Hours
    used: Mapping[str, Hours]


def finish(crews: Mapping[str, Crew]) -> Finish:
    """Give each Task, in the order of the list, to the worker that is free first.

    Parameters
    ----------
    crews : mapping
        By pool; all see the same Tasks in the same worlds. Of workers free at once, those of the first pool go first.
    """
    names = list(crews)
    n_worlds, n_tasks = crews[names[0]].hours.shape
    free = np.concatenate([_free_at(crews[name], n_worlds) for name in names], axis=1)
    pool_of = np.concatenate([np.full(_n_slots(crews[name]), i) for i, name in enumerate(names)])
    wall = np.max([_last(crew, n_worlds) for crew in crews.values()], axis=0)
    rates = np.stack([crews[name].rates for name in names], axis=0)
    used = np.zeros((n_worlds, len(names), rates.shape[2]))
    hours = np.stack([crews[name].hours for name in names], axis=2)
    worlds = np.arange(n_worlds)
    takes: NDArray[np.bool_] = np.asarray(np.isfinite(hours).all(axis=0))
    for task in range(n_tasks):
        if not takes[task][pool_of].any():
            never = np.full((n_worlds, rates.shape[2]), np.inf)
            return Finish(np.full(n_worlds, np.inf), dict.fromkeys(names, never))
        offered = free if takes[task].all() else np.where(takes[task][pool_of], free, np.inf)
        slot = offered.argmin(axis=1)
        pool = pool_of[slot]
        took = hours[worlds, task, pool]
        used[worlds, pool] += took[:, None] * rates[pool, task]
        ends = free[worlds, slot] + took
        free[worlds, slot] = ends
        np.maximum(wall, ends, out=wall)
    return Finish(wall, {name: used[:, i] for i, name in enumerate(names)})


def _n_slots(crew: Crew) -> int:
    return max(crew.slots, int(crew.busy.shape[1]))


def _free_at(crew: Crew, n_worlds: int) -> Hours:
    """When each worker is free: those that run something when that ends."""
    idle = np.zeros((n_worlds, _n_slots(crew) - crew.busy.shape[1]))
    return np.concatenate([crew.busy, idle], axis=1)


def _last(crew: Crew, n_worlds: int) -> Hours:
    return crew.busy.max(axis=1) if crew.busy.shape[1] else np.zeros(n_worlds)
