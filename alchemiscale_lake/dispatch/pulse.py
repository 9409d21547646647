"""The lease monitor: expired leases, silent attempts, missing jobs.

Clocks of other machines are not used. A lease is a duration: it has expired if it was not renewed for that long since
this dispatcher first saw it (`sightings.py`). A heartbeat is old if it has not changed for long enough. So a claimer
whose clock is ahead, behind or reset neither blocks its Task nor loses it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from ..execution.heartbeat import Beat, read_beat
from ..statestore.claims import Claim, lease_durations_s
from ..store import Lake
from ..store.parallel_requests import at_once
from ..tasks import TaskState
from .sightings import Sightings

__all__ = ["Pulse", "lease_sign"]

#: An attempt whose heartbeat has not changed for this long is lost, whatever its engine reports.
_SILENCE_S: Final = 600.0
#: Additional time for which an expired lease is watched before it is given up.
_WATCH_S: Final = 120.0

#: Kinds of observations.
_LEASES: Final = "leases"
_LATE: Final = "late"
_BEATS: Final = "beats"
_JOBLESS: Final = "jobless"


class Pulse:
    """Monitors attempts for one dispatcher.

    Parameters
    ----------
    lake : Lake
    lease_s : float
        Lease of the dispatcher itself. Expired leases are watched for twice as long, at most two minutes.
    sightings : Sightings
    """

    def __init__(self, lake: Lake, lease_s: float, sightings: Sightings) -> None:
        self._lake, self._sightings = lake, sightings
        self._watch_s = min(_WATCH_S, 2 * lease_s)
        # the duration of a lease is only looked up if its last renewal is older than this
        self._asked_after_s = min(lease_s, _WATCH_S)
        self._lasting: dict[tuple[str, str], float] = {}

    def begin(self) -> None:
        """Load the observations of an earlier dispatcher of the pool.

        Raises
        ------
        StorageError
            If the lake does not answer.
        """
        self._sightings.recall()

    def forget(self) -> None:
        """Restart all observations: while the lake did not answer, no attempt could write a heartbeat."""
        self._sightings.forget()

    def save(self, running: Collection[str], *, now: bool = False) -> None:
        """Store the observations of running attempts for a later dispatcher of the pool."""
        self._sightings.save(running, now=now)

    def late(self, running: Collection[TaskState]) -> list[TaskState]:
        """Observe the leases of all running Tasks, and return those not renewed for their duration."""
        held = [s for s in running if s.attempt is not None]
        unmoved_s = self._sightings.look(_LEASES, {s.attempt: lease_sign(s) for s in held if s.attempt})
        old = [s for s in held if unmoved_s[s.attempt or ""] >= self._asked_after_s]
        self._ask_for_durations(old)
        return [s for s in old if unmoved_s[s.attempt or ""] >= self._lasting[s.attempt or "", lease_sign(s)]]

    def given_up(self, late: Collection[TaskState]) -> list[TaskState]:
        """Return those of `late` without a heartbeat or renewal since, for long enough."""
        beats = at_once(lambda s: read_beat(self._lake, s.scope, s.attempt or ""), late)
        signs = {
            s.attempt or "": f"{lease_sign(s)} {'' if beat is None else beat.at.isoformat()}"
            for s, beat in zip(late, beats, strict=True)
        }
        unmoved_s = self._sightings.look(_LATE, signs, at_most_s=self._watch_s / 2)
        return [s for s in late if unmoved_s[s.attempt or ""] >= self._watch_s]

    def silent(self, claims: Mapping[str, Claim]) -> dict[str, Beat]:
        """Return the last heartbeat of attempts that wrote one before but none for long."""
        beats = at_once(lambda claim: read_beat(self._lake, claim.scope, claim.attempt), claims.values())
        last = {attempt: beat for attempt, beat in zip(claims, beats, strict=True) if beat is not None}
        signs = {attempt: beat.at.isoformat() for attempt, beat in last.items()}
        unmoved_s = self._sightings.look(_BEATS, signs, at_most_s=_SILENCE_S / 2)
        return {attempt: beat for attempt, beat in last.items() if unmoved_s[attempt] >= _SILENCE_S}

    def jobless_s(self, attempts: Collection[str]) -> dict[str, float]:
        """Return for how long the engine has had no job of these attempts."""
        return self._sightings.look(_JOBLESS, dict.fromkeys(attempts, ""))

    def _ask_for_durations(self, states: Collection[TaskState]) -> None:
        known = {(s.attempt or "", lease_sign(s)): s for s in states}
        unknown = [state for key, state in known.items() if key not in self._lasting]
        lasting_s = lease_durations_s(self._lake, unknown)
        self._lasting = {key: self._lasting[key] for key in known if key in self._lasting}
        self._lasting |= {(s.attempt or "", lease_sign(s)): lasting_s[s.attempt or ""] for s in unknown}


def lease_sign(state: TaskState) -> str:
    """Return a text that changes with every renewal of a lease; it is never interpreted as a time."""
    return "" if state.lease_expires_at is None else state.lease_expires_at.isoformat()
