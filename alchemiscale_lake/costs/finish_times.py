"""Finish time of a list of Tasks on given workers: list scheduling over many scenarios at once.

Pure arithmetic. Task durations come from `pricing`, the assignment of Tasks to pools from `tasks.fitness`.
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
    """Workers of one pool, for Tasks of one list.

    Attributes
    ----------
    slots : int
        Tasks that run there concurrently.
    hours : ndarray, shape (scenarios, Tasks)
        Duration of each Task there; infinite if the pool does not accept it.
    busy : ndarray, shape (scenarios, running Tasks)
        Remaining duration of each Task that runs there.
    rates : ndarray, shape (Tasks, kinds)
        Consumption per hour of each Task there, such as GPU-hours and money.
    """

    slots: int
    hours: Hours
    busy: Hours
    rates: Hours


@dataclass(frozen=True, slots=True)
class Finish:
    """Result of scheduling.

    Attributes
    ----------
    wall_h : ndarray, shape (scenarios,)
        Time until the last Task ends; infinite if no pool accepts some Task.
    used : mapping of str to ndarray, shape (scenarios, kinds)
        Total consumption by the Tasks of the list in each pool.
    """

    wall_h: Hours
    used: Mapping[str, Hours]


def finish(crews: Mapping[str, Crew]) -> Finish:
    """Assign each Task, in the order of the list, to the worker that is free first.

    Parameters
    ----------
    crews : mapping
        By pool; all have the same Tasks and scenarios. Of workers that are free at the same time, the first pool's
        win.
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
    """Return when each worker is free."""
    idle = np.zeros((n_worlds, _n_slots(crew) - crew.busy.shape[1]))
    return np.concatenate([crew.busy, idle], axis=1)


def _last(crew: Crew, n_worlds: int) -> Hours:
    return crew.busy.max(axis=1) if crew.busy.shape[1] else np.zeros(n_worlds)
