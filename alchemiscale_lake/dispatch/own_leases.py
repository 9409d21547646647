"""Renewal of the leases of a dispatcher's own attempts, at half of their duration by its monotonic clock.

The expiry in the log is not used: if a clock were set back, the leases would expire.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Final

from ..caller import Caller
from ..statestore.claims import renew_leases
from ..store import Lake
from .flights import Flights
from .pulse import lease_sign
from .sightings import Sightings

__all__ = ["OwnLeases"]

#: Fraction of a lease after which it is renewed.
_DUE_AFTER: Final = 0.5
_KIND: Final = "own"


class OwnLeases:
    """Renews the leases of one dispatcher.

    Parameters
    ----------
    lake : Lake
    actor : str
    flights : Flights
    sightings : Sightings
        Stores the times of renewal for the next dispatcher of the pool.
    """

    def __init__(self, lake: Lake, actor: str, flights: Flights, sightings: Sightings) -> None:
        self._lake, self._actor, self._flights, self._sightings = lake, actor, flights, sightings
        self._renewed_at_s: dict[str, float] = {}

    def renew(self, lease_s: float) -> set[str]:
        """Renew the leases that are due; return the attempts that no longer hold a Task.

        Raises
        ------
        StorageError
            If the lake does not answer.
        """
        held = {attempt: claim.task for attempt, claim in self._flights.claims().items()}
        now, since = time.monotonic(), self._since(held)
        due = {attempt for attempt in held if now - since[attempt] >= _DUE_AFTER * lease_s}
        lost = renew_leases(self._lake, held, lease_s=lease_s, caller=Caller(self._actor), due=due)
        self._renewed_at_s = {attempt: now if attempt in due else at for attempt, at in since.items()}
        return lost

    def note(self) -> None:
        """Store the age of each lease for the next dispatcher of the pool."""
        held = {attempt: claim.task for attempt, claim in self._flights.claims().items()}
        now, since = time.monotonic(), self._since(held)
        signs = self._signs(held)
        self._sightings.note(_KIND, {a: (sign, now - since[a]) for a, sign in signs.items() if since[a] > -math.inf})

    def _since(self, held: Mapping[str, str]) -> dict[str, float]:
        """Return when each lease was last renewed, by the monotonic clock; minus infinity if unknown."""
        since: dict[str, float] = {}
        for attempt in held:
            known = self._renewed_at_s.get(attempt)
            since[attempt] = self._claimed_at(attempt) if known is None else known
        unknown = {attempt: held[attempt] for attempt, at in since.items() if at == -math.inf}
        for attempt, sign in self._signs(unknown).items():
            ago_s = self._sightings.unmoved_s(_KIND, attempt, sign)
            since[attempt] = -math.inf if ago_s is None else time.monotonic() - ago_s
        return since

    def _claimed_at(self, attempt: str) -> float:
        at = self._flights.claimed_at_s(attempt)
        return -math.inf if at is None else at

    def _signs(self, held: Mapping[str, str]) -> dict[str, str]:
        if not held:
            return {}
        states = self._lake.task_log.states().of(held.values()).values()
        return {s.attempt: lease_sign(s) for s in states if s.attempt is not None and s.attempt in held}
