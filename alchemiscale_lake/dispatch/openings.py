"""Observation of openings: which Tasks the policy admits, and where they can start now.

Reads the lake and the engine, and asks the engine for as many workers as there is work for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ..costs.forecast import Forecast
from ..resources import Resources
from ..settings import Pools
from ..statestore.host_records import failed_hosts
from ..statestore.runnable import Runnable
from ..store import Lake, now_utc
from ..tasks import TaskStates
from ..tasks.policy import Admission
from .admission import PolicyState, admit_tasks
from .allocation import Openings, free_slots, needs_of, open_places
from .dispatch_settings import DispatchSettings
from .executor import Executor, Place
from .picture import InFlight
from .placing import workers_wanted
from .policy_inputs import PolicyInputs

__all__ = ["OpeningsObserver"]

#: Sample size for estimating how many workers all Tasks would occupy.
_SAMPLE: Final = 500


class OpeningsObserver:
    """Looks for openings for one dispatcher.

    Parameters
    ----------
    lake : Lake
    executor : Executor
    settings : DispatchSettings
    pools : Pools or None
        All pools of this lake, whose policy applies to claims; None if any Task may be claimed.
    forecast : Forecast
    rng : numpy.random.Generator, optional
        Gives the seeds of the draws.

    Attributes
    ----------
    places : sequence of Place
        As last reported by the engine.

    Raises
    ------
    SettingsError
        If the pools file has no such pool.
    """

    def __init__(
        self,
        lake: Lake,
        executor: Executor,
        settings: DispatchSettings,
        pools: Pools | None,
        forecast: Forecast,
        rng: np.random.Generator | None = None,
    ) -> None:
        if pools is not None:
            pools.named(settings.pool)
        self._lake, self._executor, self._settings = lake, executor, settings
        self._forecast = forecast
        self._inputs = None if pools is None else PolicyInputs(lake, pools, forecast)
        self._policy = PolicyState(settings.pool)
        self._rng = rng or np.random.default_rng()
        self._networks = lake.network_log.states()
        self._runnable = Runnable(lake) if settings.runs_here else None
        self._admitted: tuple[int, Admission] | None = None
        self._more: tuple[Admission, int] | None = None
        self.places: Sequence[Place] = ()

    def refresh(self) -> None:
        """Reload slowly changing data: states and weights of networks, and the policy inputs."""
        self._networks = self._lake.network_log.states()
        if self._inputs is not None:
            self._inputs.refresh(now_utc())
        if self._runnable is not None:
            self._runnable.refresh()
        self._admitted = None

    def with_current_networks(self, openings: Openings) -> Openings:
        """Return openings with the networks as they are now, which `admission` uses from now on.

        A network that was set inactive since the last heartbeat has released its Tasks: they are not to be claimed
        again.
        """
        networks = self._lake.network_log.states()
        if networks != self._networks:
            self._networks, self._admitted = networks, None
        return replace(openings, networks=networks)

    def admission(self, states: TaskStates) -> Admission:
        """Return what the pool may claim of its selection in these states."""
        if self._admitted is None or self._admitted[0] != states.seq:
            if self._inputs is not None:
                self._policy = replace(self._policy, picture=self._inputs.picture(states))
            admission, self._policy = admit_tasks(self._policy, states, self._networks, now_utc())
            meant = self._settings.selection.candidates(admission.candidates)
            if self._runnable is not None and len(meant):
                meant = self._runnable.only(meant)
            self._admitted = states.seq, replace(admission, candidates=meant)
        return self._admitted[1]

    def claimable(self, states: TaskStates) -> bool:
        """Return whether this pool may claim anything, now or once its limits and the policy allow it."""
        admission = self.admission(states)
        if len(admission.candidates) or not len(admission.held_back):
            return len(admission.candidates) > 0
        meant = self._settings.selection.candidates(states.claimable())
        return bool(meant["task"].is_in(admission.held_back.to_list()).any())

    def look(
        self,
        states: TaskStates,
        in_flight: Mapping[str, InFlight],
        *,
        cooling: frozenset[str] = frozenset(),
        quarantined: Collection[str] = (),
        on_probation: Collection[str] = (),
        ahead: int = 0,
    ) -> Openings:
        """Return where Tasks can start now.

        Parameters
        ----------
        states : TaskStates
        in_flight : mapping
        cooling : frozenset of str
            Places and Tasks to avoid.
        quarantined, on_probation : collection of str
            Hosts.
        ahead : int
            Number of attempts that may wait at each place behind the running ones.
        """
        at_places = Counter(one.place for one in in_flight.values())
        admission = self.admission(states)
        self.places = self._executor.places(self._workers_wanted(admission, len(at_places)))
        return Openings(
            places=open_places(
                self.places, at_places, closed=cooling, quarantined=quarantined, on_probation=on_probation
            ),
            at_places=at_places,
            cooling=cooling,
            needs=self._forecast.frame(admission.candidates["transformation"]),
            failed_hosts=failed_hosts(self._lake),
            networks=self._networks,
            settings=self._settings,
            ahead=ahead,
            whole_jobs=self._executor.whole_jobs,
            seed=int(self._rng.integers(2**63)),
        )

    def slots_free(self) -> int:
        """Return how many Tasks of the usual kind could start now."""
        sample = self._sample(self._admitted[1]) if self._admitted else []
        return free_slots(self.places, sample[0] if sample else self._settings.resources_for(Resources()))

    def _workers_wanted(self, admission: Admission, at_work: int) -> int:
        settings = self._settings
        if self._more is None or self._more[0] is not admission:
            waiting = admission.candidates["task"].n_unique()
            if admission.limit is not None:
                waiting = min(waiting, admission.limit)
            more = workers_wanted(self._sample(admission), waiting, settings.capacity, settings.maximum_workers)
            self._more = admission, more
        return min(at_work + self._more[1], settings.maximum_workers)

    def _sample(self, admission: Admission) -> list[Resources]:
        """Return the needs of a sample of claimable Tasks."""
        sample = admission.candidates["transformation"].head(_SAMPLE).unique(maintain_order=True)
        known = needs_of(self._forecast.frame(sample), self._settings, sample.to_list())
        return [known[transformation].resources for transformation in sample if transformation in known]
