"""Assigning Tasks: admitted by policy, drawn by weight, placed on workers, claimed, submitted to the engine."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from ..caller import Caller
from ..costs.forecast import Forecast
from ..execution.assignment import Assignment, AttemptSpec
from ..resources import Resources
from ..statestore.claims import Claim, claim_chosen, network_weights
from ..statestore.host_records import failed_hosts
from ..statestore.result_recording import good_results
from ..statestore.runnable import Runnable
from ..statestore.task_names import TaskNames
from ..store import Lake, ReceiptKey
from ..tasks import TaskStates, choose
from ..tasks.policy import Admission
from .executor import Executor, Place
from .flights import Flight, Flights, spec_of
from .placing import Draft, place_drafts, workers_wanted
from .policy import Policy
from .settings import DispatchSettings

__all__ = ["HandingOut"]

#: Cool-down of a place that refused an attempt; also of its Task, doubled for every further refusal.
_COOL_DOWN_S: Final = 30.0
_LONGEST_COOL_DOWN_S: Final = 3600.0
#: Sample size for estimating how many workers all Tasks would occupy.
_SAMPLE: Final = 500


class HandingOut:
    """Claims and assigns Tasks for a dispatcher.

    Attributes
    ----------
    places : sequence of Place
        As last reported by the engine.
    barred : mapping
        Quarantined hosts, with the end of their quarantine: nothing is placed there.
    on_probation : collection of str
        Hosts on probation after a quarantine: they get one Task, and the next only if it did not fail.
    """

    def __init__(
        self,
        lake: Lake,
        executor: Executor,
        settings: DispatchSettings,
        policy: Policy,
        forecast: Forecast,
        flights: Flights,
        names: TaskNames,
        actor: str,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._lake, self._executor, self._settings = lake, executor, settings
        self._policy, self._forecast = policy, forecast
        self._flights, self._names, self._actor = flights, names, actor
        self._rng = rng or np.random.default_rng()
        self._networks = lake.network_log.states()
        self._runnable = Runnable(lake) if settings.runs_here else None
        self._cooling: dict[str, float] = {}
        self._refusals: Counter[str] = Counter()
        self._admitted: tuple[int, Admission] | None = None
        self._more: tuple[Admission, int] | None = None
        self._tried: object = None
        self._key: ReceiptKey | None = None
        self.places: Sequence[Place] = ()
        self.barred: Mapping[str, datetime] = {}
        self.on_probation: Collection[str] = ()

    def refresh(self) -> None:
        """Reload slowly changing data: states and weights of networks, and the policy inputs."""
        self._networks = self._lake.network_log.states()
        self._policy.refresh()
        if self._runnable is not None:
            self._runnable.refresh()
        now = time.monotonic()
        self._cooling = {name: until for name, until in self._cooling.items() if until > now}
        self._admitted, self._tried = None, None

    def cool_down(self, place: str, task: str, *, longer: bool = True) -> None:
        """Avoid a place, and the Task that was refused there, for a while: for the Task `longer` each time."""
        self._cooling[place] = time.monotonic() + _COOL_DOWN_S
        # a Task that is refused everywhere would otherwise be claimed and released for ever
        self._refusals[task] += longer
        self._cooling[task] = time.monotonic() + _cool_down_s(self._refusals[task] if longer else 1)

    def recall(self, refusals: Mapping[str, tuple[int, float]]) -> None:
        """Load refusals seen by other or earlier dispatchers: their number, and seconds since the last, by Task."""
        for task, (n, ago_s) in refusals.items():
            self._refusals[task] = n
            # a refusal in the future comes from a clock that is ahead: the cool-down starts now
            self._cooling[task] = time.monotonic() + _cool_down_s(n) - max(ago_s, 0.0)

    def slots_free(self) -> int:
        """Return how many Tasks of the usual kind could start now."""
        sample = self._sample(self._admitted[1]) if self._admitted else []
        needs = sample[0] if sample else self._settings.resources_for(Resources())
        fits = (
            min(place.slots, math.floor(1 / needs.share_of(place.free) + 1e-9))
            for place in self.places
            if needs.fits_in(place.free)
        )
        return sum(fits)

    def claimable(self, states: TaskStates) -> bool:
        """Return whether this pool may claim anything, now or once its limits and the policy allow it."""
        admission = self._admit(states)
        if len(admission.candidates) or not len(admission.held_back):
            return len(admission.candidates) > 0
        meant = self._settings.selection.candidates(states.claimable())
        return bool(meant["task"].is_in(admission.held_back.to_list()).any())

    def __call__(self, states: TaskStates, ahead: int) -> int:
        """Assign as many Tasks as there is capacity for; return the number of attempts."""
        admission = self._admit(states)
        self.places = self._executor.places(self._workers_wanted(admission))
        places = [self._as_trusted(p) for p in self.places if p.slots > 0 and self._is_open(p)]
        seen = states.seq, ahead, [(p.name, p.free, p.slots) for p in places]
        if not places or not len(admission.candidates) or admission.limit == 0 or seen == self._tried:
            return 0
        placed: dict[str, str] = {}

        def chosen(states: TaskStates) -> list[str]:
            placed.clear()
            placed.update(self._place(self._admit(states), places, ahead))
            return list(placed)

        if self._key is None:
            self._lake.prepare_for_workers()
            # before the first claim: no attempt claimed later may lack a secret
            self._key = self._lake.receipt_key
        claiming_at_s = time.monotonic()
        claims = claim_chosen(
            self._lake, self._settings.pool, chosen, lease_s=self._settings.lease_s, caller=Caller(self._actor)
        )
        if not claims:
            self._tried = seen
            return 0
        self._submit(claims, {p.name: p for p in places}, placed, self._key, claiming_at_s)
        return len(claims)

    # --- choosing ---------------------------------------------------------------------------------

    def _admit(self, states: TaskStates) -> Admission:
        if self._admitted is None or self._admitted[0] != states.seq:
            admission = self._policy.admit(states, self._networks)
            meant = self._settings.selection.candidates(admission.candidates)
            if self._runnable is not None and len(meant):
                meant = self._runnable.only(meant)
            self._admitted = states.seq, replace(admission, candidates=meant)
        return self._admitted[1]

    def _place(self, admission: Admission, places: Sequence[Place], ahead: int) -> dict[str, str]:
        slots = sum(place.slots for place in places)
        cooling = [name for name, until in self._cooling.items() if until > time.monotonic()]
        candidates = admission.candidates.filter(~pl.col("task").is_in(cooling))
        # draw more than fit, since some have no suitable place
        weights = network_weights(candidates, self._networks)
        drawn = choose(candidates, weights, 4 * slots + 32, self._rng)
        placed = place_drafts(
            self._drafts(candidates, drawn),
            places,
            in_flight=self._flights.at_places(),
            ahead=ahead,
            retire_before_s=self._settings.retire_before_s,
            whole_jobs=self._executor.whole_jobs,
        )
        return dict(list(placed.items())[: admission.limit])

    def _drafts(self, candidates: pl.DataFrame, drawn: Sequence[str]) -> list[Draft]:
        rows = candidates.filter(pl.col("task").is_in(list(drawn))).select("task", "transformation").unique()
        performs = dict(rows.iter_rows())
        failed = failed_hosts(self._lake, drawn)
        forecast = self._forecast.of(list(set(performs.values())))
        drafts = []
        for task in drawn:
            takes = forecast[performs[task]]
            resources = self._settings.resources_for(takes.resources)
            drafts.append(Draft(task, resources, takes.duration_s, failed.get(task, frozenset())))
        return drafts

    def _workers_wanted(self, admission: Admission) -> int:
        if self._more is None or self._more[0] is not admission:
            waiting = admission.candidates["task"].n_unique()
            if admission.limit is not None:
                waiting = min(waiting, admission.limit)
            settings = self._settings
            more = workers_wanted(self._sample(admission), waiting, settings.capacity, settings.maximum_workers)
            self._more = admission, more
        return min(len(self._flights.at_places()) + self._more[1], self._settings.maximum_workers)

    def _sample(self, admission: Admission) -> list[Resources]:
        """Return the needs of a sample of claimable Tasks."""
        sample = admission.candidates["transformation"].head(_SAMPLE).unique(maintain_order=True).to_list()
        return [self._settings.resources_for(takes.resources) for takes in self._forecast.of(sample).values()]

    def _is_open(self, place: Place) -> bool:
        cooling = self._cooling.get(place.name, 0.0) > time.monotonic()
        if cooling or place.hostname in self.barred:
            return False
        return place.hostname not in self.on_probation or self._flights.at_places()[place.name] == 0

    def _as_trusted(self, place: Place) -> Place:
        return replace(place, slots=1) if place.hostname in self.on_probation else place

    # --- submission -------------------------------------------------------------------------------

    def _submit(
        self,
        claims: Sequence[Claim],
        places: Mapping[str, Place],
        placed: Mapping[str, str],
        key: ReceiptKey,
        claimed_at_s: float,
    ) -> None:
        names = self._names.of(claims)
        extended = good_results(self._lake, [c.extends for c in claims if c.extends is not None])
        forecast = self._forecast.of([claim.transformation for claim in claims])
        specs = {
            claim.attempt: replace(
                spec_of(claim),
                extends_result=extended[claim.extends].object_path if claim.extends in extended else None,
                extends_digest=extended[claim.extends].digest if claim.extends in extended else None,
                resources=self._settings.resources_for(forecast[claim.transformation].resources),
                duration_s=forecast[claim.transformation].duration_s,
                secret=key.secret_of(claim.attempt),
            )
            for claim in claims
        }
        for place, group in self._groups(claims, placed):
            assignment = self._assignment([specs[claim.attempt] for claim in group], places[place])
            name = names[group[0].task] + (f" and {len(group) - 1} more" if len(group) > 1 else "")
            handle = self._executor.submit(assignment, name=name, place=place)
            self._flights.add(Flight(handle, {claim.attempt: claim for claim in group}, place, claimed_at_s))

    def _groups(self, claims: Sequence[Claim], placed: Mapping[str, str]) -> list[tuple[str, list[Claim]]]:
        if not self._executor.whole_jobs:
            return [(placed[claim.task], [claim]) for claim in claims]
        groups: dict[str, list[Claim]] = {}
        for claim in claims:
            groups.setdefault(placed[claim.task], []).append(claim)
        return list(groups.items())

    def _assignment(self, specs: Sequence[AttemptSpec], place: Place) -> Assignment:
        settings = self._settings
        return Assignment(
            lake=self._lake.url,
            pool=settings.pool,
            attempts=tuple(specs),
            resources=place.capacity,
            unit_needs=settings.unit_needs,
            monitors=settings.monitors,
            timeout_s=settings.timeout_s,
            stuck_after_s=settings.stuck_after_s,
            unit_retries=settings.unit_retries,
            work_root=settings.work_root,
            retire_before_s=settings.retire_before_s,
        )


def _cool_down_s(refusals: int) -> float:
    return min(_COOL_DOWN_S * 2.0 ** min(refusals - 1, 16), _LONGEST_COOL_DOWN_S)
