"""Who is still at work: leases that ran out, and attempts that fell silent.

Clocks of different machines are not compared where it can be helped: a lease or a beat counts as old
when it has not moved for long enough by this process's own clock. Only at a first look, when nothing
was watched yet, what others wrote is held against the time here, with a wide margin.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from ..execution.heartbeat import Beat, read_beat
from ..ledger.at_once import at_once
from ..ledger.claims import Claim
from ..store import Lake, now_utc
from ..tasks import TaskState

__all__ = ["Pulse"]

#: An attempt whose beat has not moved for so long is lost, whatever its engine says.
_SILENCE: Final = timedelta(minutes=10)
#: At a first look a beat must be older than this: clocks may differ.
_SILENCE_AT_FIRST: Final = timedelta(hours=1)
#: A lease that ran out is watched for so long before it is believed.
_WATCH_S: Final = 120.0

_Sign = tuple[datetime | None, datetime | None]


class Pulse:
    """Watches attempts for one dispatcher.

    Parameters
    ----------
    lake : Lake
    lease_s : float
        Of the dispatcher itself; leases are watched for two of them, two minutes at most.
    clock : callable
        Monotonic, seconds.
    """

    def __init__(self, lake: Lake, lease_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake, self._clock = lake, clock
        self._watch_s = min(_WATCH_S, 2 * lease_s)
        self._late: dict[str, tuple[_Sign, float]] = {}
        self._beats: dict[str, tuple[datetime, float]] = {}

    def forget(self) -> None:
        """Begin to watch anew: while the lake did not answer, nobody could give a sign of life."""
        self._late.clear()
        self._beats.clear()

    def late(self, running: Collection[TaskState]) -> list[TaskState]:
        """Return those whose lease ran out, as far as clocks can be believed."""
        now = now_utc()
        return [s for s in running if s.attempt and s.lease_expires_at is not None and s.lease_expires_at <= now]

    def given_up(self, running: Collection[TaskState], *, at_first: bool = False) -> list[TaskState]:
        """Return those whose lease ran out and that nobody works at any more.

        Parameters
        ----------
        running : collection of TaskState
            Held by others.
        at_first : bool
            Do not wait for what lies back far enough.
        """
        now, late = now_utc(), self.late(running)
        beats = at_once(lambda s: read_beat(self._lake, s.scope, s.attempt or ""), late)
        before, self._late = self._late, {}
        found = []
        for state, beat in zip(late, beats, strict=True):
            assert state.attempt is not None
            sign = (state.lease_expires_at, None if beat is None else beat.at)
            seen = before.get(state.attempt)
            since = seen[1] if seen is not None and seen[0] == sign else self._clock()
            self._late[state.attempt] = (sign, since)
            if self._clock() - since >= self._watch_s or (at_first and self._is_long_ago(sign, now)):
                found.append(state)
        return found

    def silent(self, claims: Mapping[str, Claim]) -> dict[str, Beat]:
        """Return the last beat of attempts that once gave a sign of life and have given none for long."""
        beats = at_once(lambda claim: read_beat(self._lake, claim.scope, claim.attempt), claims.values())
        before, self._beats = self._beats, {}
        found = {}
        for attempt, beat in zip(claims, beats, strict=True):
            if beat is None:
                continue
            seen = before.get(attempt)
            since = seen[1] if seen is not None and seen[0] == beat.at else self._clock()
            self._beats[attempt] = (beat.at, since)
            if self._clock() - since > _SILENCE.total_seconds() or now_utc() - beat.at > _SILENCE_AT_FIRST:
                found[attempt] = beat
        return found

    def _is_long_ago(self, sign: _Sign, now: datetime) -> bool:
        lease, beat = sign
        assert lease is not None
        late = (now - lease).total_seconds() >= self._watch_s
        return late and (beat is None or now - beat > _SILENCE)
