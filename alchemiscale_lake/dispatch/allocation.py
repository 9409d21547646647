"""Allocation: which of the admitted Tasks are claimed now, and on which worker each starts.

Pure: decided from the current states during the claim, and again after every lost race. The policy decides which Tasks
are admitted (`admission.py`), `placing.py` finds a place for each.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from ..resources import Resources
from ..statestore.claims import network_weights
from ..store import NetworkState
from ..tasks import choose
from ..tasks.fitness import NEEDS_SCHEMA
from ..tasks.policy import Admission
from .dispatch_settings import DispatchSettings
from .executor import Place
from .placing import Draft, place_drafts

__all__ = ["Openings", "TaskNeeds", "allocate", "free_slots", "needs_of", "open_places"]


@dataclass(frozen=True, slots=True)
class TaskNeeds:
    """Expected needs of a Task.

    Attributes
    ----------
    resources : Resources
    duration_s : float or None
        None if unknown.
    """

    resources: Resources
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Openings:
    """Places where Tasks can start, and what the choice of Tasks depends on.

    Attributes
    ----------
    places : tuple of Place
        Places that are open now.
    at_places : mapping
        Number of attempts in flight by place.
    cooling : frozenset of str
        Tasks to avoid for a while.
    needs : polars.DataFrame
        Forecasts (columns transformation, cores, memory_bytes, gpus, duration_s). A Task of another Transformation
        waits for the next turn.
    failed_hosts : mapping
        Hosts where a Task failed recently, by Task.
    networks : mapping
        State of every network with a decision.
    settings : DispatchSettings
    ahead : int
        Number of attempts that may wait at each place behind the running ones.
    whole_jobs : bool
        Whether one assignment fills a place.
    seed : int
        Of the draw: the same openings and states lead to the same allocation.
    """

    places: tuple[Place, ...]
    at_places: Mapping[str, int] = field(default_factory=dict)
    cooling: frozenset[str] = frozenset()
    needs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NEEDS_SCHEMA))
    failed_hosts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    networks: Mapping[str, NetworkState] = field(default_factory=dict)
    settings: DispatchSettings = field(default_factory=DispatchSettings)
    ahead: int = 0
    whole_jobs: bool = False
    seed: int = 0


def allocate(openings: Openings, admission: Admission) -> dict[str, str]:
    """Return the Tasks to claim, each with the name of its place, in the order drawn.

    Parameters
    ----------
    openings : Openings
    admission : Admission
        From the states as of the claim.
    """
    candidates = admission.candidates
    if openings.cooling:
        candidates = candidates.filter(~pl.col("task").is_in(list(openings.cooling)))
    # draw more than fit, since some have no suitable place
    count = 4 * sum(place.slots for place in openings.places) + 32
    weights = network_weights(candidates, openings.networks)
    drawn = choose(candidates, weights, count, np.random.default_rng(openings.seed))
    placed = place_drafts(
        _drafts(openings, candidates, drawn),
        openings.places,
        in_flight=openings.at_places,
        ahead=openings.ahead,
        retire_before_s=openings.settings.retire_before_s,
        whole_jobs=openings.whole_jobs,
    )
    return dict(list(placed.items())[: admission.limit])


def open_places(
    places: Sequence[Place],
    at_places: Mapping[str, int],
    *,
    closed: Collection[str] = (),
    quarantined: Collection[str] = (),
    on_probation: Collection[str] = (),
) -> tuple[Place, ...]:
    """Return the places where something may start.

    Parameters
    ----------
    places : sequence of Place
    at_places : mapping
        Number of attempts in flight by place.
    closed : collection of str
        Names of places to avoid.
    quarantined, on_probation : collection of str
        Hosts; one on probation gets one Task, and the next only if it did not fail.
    """
    allowed = [p for p in places if p.slots > 0 and p.name not in closed and p.hostname not in quarantined]
    trusted = [p for p in allowed if p.hostname not in on_probation]
    probed = [replace(p, slots=1) for p in allowed if p.hostname in on_probation and not at_places.get(p.name)]
    return (*trusted, *probed)


def free_slots(places: Sequence[Place], needs: Resources) -> int:
    """Return how many Tasks with these needs could start now.

    Parameters
    ----------
    places : sequence of Place
        Places with free capacity.
    needs : Resources
        Resources of each Task.
    """
    return sum(
        min(place.slots, math.floor(1 / needs.share_of(place.free) + 1e-9))
        for place in places
        if needs.fits_in(place.free)
    )


def needs_of(
    forecasts: pl.DataFrame, settings: DispatchSettings, transformations: Collection[str]
) -> dict[str, TaskNeeds]:
    """Return the needs of these Transformations' Tasks; those without a forecast are left out.

    Parameters
    ----------
    forecasts : polars.DataFrame
        Columns transformation, cores, memory_bytes, gpus and duration_s.
    settings : DispatchSettings
        Settings of the dispatcher.
    transformations : collection of str
        ScopedKeys.
    """
    rows = forecasts.filter(pl.col("transformation").is_in(list(set(transformations))))
    columns = ("transformation", "cores", "memory_bytes", "gpus", "duration_s")
    return {
        transformation: TaskNeeds(settings.resources_for(Resources(cores, memory_bytes, gpus)), duration_s)
        for transformation, cores, memory_bytes, gpus, duration_s in rows.select(columns).iter_rows()
    }


def _drafts(openings: Openings, candidates: pl.DataFrame, drawn: Sequence[str]) -> list[Draft]:
    rows = candidates.filter(pl.col("task").is_in(list(drawn))).select("task", "transformation").unique()
    performs = dict(rows.iter_rows())
    needs = needs_of(openings.needs, openings.settings, performs.values())
    drafts = []
    for task in drawn:
        takes = needs.get(performs[task])
        if takes is not None:
            failed = openings.failed_hosts.get(task, frozenset())
            drafts.append(Draft(task, takes.resources, takes.duration_s, failed))
    return drafts
