"""The lease monitor: leases that ran out, attempts that fell silent, jobs that are missing.

No clock of another machine is asked. A lease is a duration: it has run out when it was not renewed for
as long as it lasts, counted from when this dispatcher first saw it (`sightings.py`). A heartbeat is old
when it has not moved for long enough. So a claimer whose clock is ahead, behind or set anew while it
runs neither blocks its Task nor loses it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from ..execution.heartbeat import Beat, read_beat
from ..ledger.at_once import at_once
from ..ledger.claims import Claim, lease_durations_s
from ..store import Lake
from ..tasks import TaskState
from .sightings import Sightings

__all__ = ["Pulse", "lease_sign"]

#: An attempt whose beat has not moved for so long is lost, whatever its engine says.
_SILENCE_S: Final = 600.0
#: A lease that ran out is watched for so long before it is believed.
_WATCH_S: Final = 120.0

#: Kinds of signs.
_LEASES: Final = "leases"
_LATE: Final = "late"
_BEATS: Final = "beats"
_JOBLESS: Final = "jobless"


class Pulse:
    """Watches attempts for one dispatcher.

    Parameters
    ----------
    lake : Lake
    lease_s : float
        Of the dispatcher itself. After their end, leases are watched for two of them, two minutes at most.
    sightings : Sightings
    """

    def __init__(self, lake: Lake, lease_s: float, sightings: Sightings) -> None:
        self._lake, self._sightings = lake, sightings
        self._watch_s = min(_WATCH_S, 2 * lease_s)
        # whoever was renewed more recently is not asked how long its lease lasts
        self._asked_after_s = min(lease_s, _WATCH_S)
        self._lasting: dict[tuple[str, str], float] = {}

    def begin(self) -> None:
        """Take up what an earlier dispatcher of the pool has seen.

        Raises
        ------
        StorageError
            If the lake does not answer.
        """
        self._sightings.recall()

    def forget(self) -> None:
        """Begin to watch anew: while the lake did not answer, nobody could give a sign of life."""
        self._sightings.forget()

    def save(self, running: Collection[str], *, now: bool = False) -> None:
        """Leave what was seen of running attempts for a later dispatcher of the pool."""
        self._sightings.save(running, now=now)

    def late(self, running: Collection[TaskState]) -> list[TaskState]:
        """Note the leases of all that run, and return those that were not renewed for as long as they last."""
        held = [s for s in running if s.attempt is not None]
        unmoved_s = self._sightings.look(_LEASES, {s.attempt: lease_sign(s) for s in held if s.attempt})
        old = [s for s in held if unmoved_s[s.attempt or ""] >= self._asked_after_s]
        self._ask_for_durations(old)
        return [s for s in old if unmoved_s[s.attempt or ""] >= self._lasting[s.attempt or "", lease_sign(s)]]

    def given_up(self, late: Collection[TaskState]) -> list[TaskState]:
        """Return those of `late` that nobody works at any more: that gave no sign of life since, for long enough."""
        beats = at_once(lambda s: read_beat(self._lake, s.scope, s.attempt or ""), late)
        signs = {
            s.attempt or "": f"{lease_sign(s)} {'' if beat is None else beat.at.isoformat()}"
            for s, beat in zip(late, beats, strict=True)
        }
        unmoved_s = self._sightings.look(_LATE, signs, at_most_s=self._watch_s / 2)
        return [s for s in late if unmoved_s[s.attempt or ""] >= self._watch_s]

    def silent(self, claims: Mapping[str, Claim]) -> dict[str, Beat]:
        """Return the last beat of attempts that once gave a sign of life and have given none for long."""
        beats = at_once(lambda claim: read_beat(self._lake, claim.scope, claim.attempt), claims.values())
        last = {attempt: beat for attempt, beat in zip(claims, beats, strict=True) if beat is not None}
        signs = {attempt: beat.at.isoformat() for attempt, beat in last.items()}
        unmoved_s = self._sightings.look(_BEATS, signs, at_most_s=_SILENCE_S / 2)
        return {attempt: beat for attempt, beat in last.items() if unmoved_s[attempt] >= _SILENCE_S}

    def jobless_s(self, attempts: Collection[str]) -> dict[str, float]:
        """Return for how long the engine has known no job of these attempts."""
        return self._sightings.look(_JOBLESS, dict.fromkeys(attempts, ""))

    def _ask_for_durations(self, states: Collection[TaskState]) -> None:
        known = {(s.attempt or "", lease_sign(s)): s for s in states}
        unknown = [state for key, state in known.items() if key not in self._lasting]
        lasting_s = lease_durations_s(self._lake, unknown)
        self._lasting = {key: self._lasting[key] for key in known if key in self._lasting}
        self._lasting |= {(s.attempt or "", lease_sign(s)): lasting_s[s.attempt or ""] for s in unknown}


def lease_sign(state: TaskState) -> str:
    """Return what changes with every renewal of a lease; nobody reads it as a time."""
    return "" if state.lease_expires_at is None else state.lease_expires_at.isoformat()
