"""Observation: takes the picture that a turn's decision is based on. Reads the lake and the engine, changes neither.

What is looked at depends on what is due, and on the rules themselves: receipts are sought where an attempt ended, or
would be given up without one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from ..execution.heartbeat import read_beat
from ..execution.release import read_release
from ..execution.start_markers import has_started
from ..statestore.attempt_endings import count_endings
from ..statestore.claims import Claim, claim_of, claimers, lease_durations_s, process_is_gone
from ..statestore.receipts import find_receipts
from ..statestore.result_recording import unrecorded_attempts
from ..statestore.unrecorded_receipts import forgotten_receipts
from ..store import Lake, now_utc
from ..store.parallel_requests import at_once
from ..tasks import TaskState, TaskStates
from .attempt_outcome import COUNTED, AttemptEnding, reported_ending
from .executor import Executor
from .heartbeats import HeartbeatReader
from .lease_monitor import SILENCE_S, is_late, lease_sign, watch_s
from .picture import Due, Identity, InFlight, OtherAttempt, Picture, Silence
from .recovery import attempts_to_recover
from .sightings import Sightings

__all__ = ["OWN_LEASES", "Observer"]

#: Claims older than this are not looked at in a sweep of recent ones.
_OLD: Final = timedelta(hours=6)

#: Kinds of observations.
OWN_LEASES: Final = "own"
_LEASES: Final = "leases"
_LATE: Final = "late"
_BEATS: Final = "beats"
_JOBLESS: Final = "jobless"


class Observer:
    """Takes pictures for one dispatcher.

    Parameters
    ----------
    lake : Lake
    executor : Executor
    me : Identity
    lease_s : float
        Duration of the dispatcher's own leases.
    sightings : Sightings
    """

    def __init__(self, lake: Lake, executor: Executor, me: Identity, lease_s: float, sightings: Sightings) -> None:
        self._lake, self._executor, self._me, self._lease_s = lake, executor, me, lease_s
        self._sightings, self._heartbeats = sightings, HeartbeatReader(lake)
        #: Duration of a lease by attempt and sign.
        self._durations_s: dict[tuple[str, str], float] = {}

    def picture(self, in_flight: Mapping[str, InFlight], due: Due) -> Picture:
        """Take a picture.

        Parameters
        ----------
        in_flight : mapping of str to InFlight
            Attempts of this dispatcher by identifier.
        due : Due
            Checks to make.

        Raises
        ------
        StorageError
            If the lake does not answer.
        TransientError
            If the engine does not answer.
        """
        states = self._lake.task_log.states()
        if self._me.is_durable and (due.start or due.sweep):
            in_flight = {**in_flight, **self._jobs_of_earlier_dispatchers(states, in_flight)}
        looked = Picture(
            me=self._me,
            at_s=time.monotonic(),
            due=due,
            states=states,
            lease_s=self._lease_s,
            watch_s=watch_s(self._lease_s),
            networks=self._lake.network_log.states() if due.heartbeat else {},
            in_flight=in_flight,
            ended=_ended(in_flight),
            silences=self._silences(in_flight, due),
            others=self._others(states, in_flight, due),
        )
        return self._with_ends(looked)

    # --- ends of attempts ---------------------------------------------------------------------------

    def _with_ends(self, picture: Picture) -> Picture:
        """Add receipts, and the endings of attempts without one."""
        in_flight, due = picture.in_flight, picture.due
        recoveries = attempts_to_recover(self._me, picture.others, picture.watch_s)
        ended = picture.ended if self._me.is_durable or not due.leaving else frozenset(in_flight)
        asked = {attempt: picture.claim(attempt).scope for attempt in (*ended, *recoveries)}
        asked |= _beside_others(in_flight) if due.heartbeat else {}
        # a job that has left its queue may just have finished, or not be listed yet: its receipt decides
        asked |= {a: other.state.scope for a, other in picture.others.items() if other.jobless_s is not None}
        asked |= self._forgotten(in_flight, due)
        receipts = {receipt.attempt: receipt for receipt in find_receipts(self._lake, asked)} if asked else {}
        if due.leaving and not self._me.is_durable:
            return replace(picture, receipts=receipts)
        said = {a: reported_ending(in_flight[a].handle.exception()) for a in ended if a not in receipts}
        said |= {
            a: AttemptEnding("lost", r.reason) for a, r in recoveries.items() if r.kind == "lost" and a not in receipts
        }
        claims = [picture.claim(attempt) for attempt in said]
        endings = at_once(lambda claim: self._ending(claim, said[claim.attempt]), claims)
        found = {claim.attempt: ending for claim, ending in zip(claims, endings, strict=True)}
        lost = (a for a, silence in picture.silences.items() if silence.unchanged_s >= SILENCE_S)
        counted = [a for a, ending in found.items() if ending.kind in COUNTED]
        earlier = count_endings(self._lake, [picture.claim(attempt).task for attempt in (*counted, *lost)])
        return replace(picture, receipts=receipts, endings=found, earlier_endings=earlier)

    def _ending(self, claim: Claim, said: AttemptEnding) -> AttemptEnding:
        left = read_release(self._lake, claim.scope, claim.attempt)
        if left is not None:
            return AttemptEnding(left.kind, f"{left.reason} ({left.hostname})")
        if self._me.is_durable and said.kind == "lost" and not has_started(self._lake, claim.scope, claim.attempt):
            # for example a broken environment: not the Task's fault, and an immediate retry would fail too
            return AttemptEnding("refused", "its job ended before the attempt started; see the job's output")
        return said

    def _forgotten(self, in_flight: Mapping[str, InFlight], due: Due) -> dict[str, str]:
        """Return attempts (attempt -> Scope) without a claim that may have left a late receipt."""
        found = dict[str, str]()
        if due.start or due.sweep_all:
            found |= unrecorded_attempts(self._lake)
        elif due.sweep:
            found |= unrecorded_attempts(self._lake, _OLD)
        if due.start:
            # also attempts missing from the log, for example after a power cut
            found |= forgotten_receipts(self._lake)
        return {attempt: scope for attempt, scope in found.items() if attempt not in in_flight}

    # --- attempts in flight -------------------------------------------------------------------------

    def _silences(self, in_flight: Mapping[str, InFlight], due: Due) -> dict[str, Silence]:
        """Return for how long heartbeats have not changed, once they are read."""
        if due.silence:
            self._heartbeats.ask({attempt: one.claim.scope for attempt, one in in_flight.items()})
        beats = self._heartbeats.answer()
        if beats is None:
            return {}
        last = {attempt: beat for attempt, beat in beats.items() if attempt in in_flight}
        signs = {attempt: beat.at.isoformat() for attempt, beat in last.items()}
        unchanged_s = self._sightings.look(_BEATS, signs, at_most_s=SILENCE_S / 2)
        return {attempt: Silence(beat, unchanged_s[attempt]) for attempt, beat in last.items()}

    def _jobs_of_earlier_dispatchers(
        self, states: TaskStates, in_flight: Mapping[str, InFlight]
    ) -> dict[str, InFlight]:
        """Return attempts of this pool that run in jobs which an earlier dispatcher submitted."""
        ours = {a: state for a, state in _running_elsewhere(states, in_flight).items() if state.pool == self._me.pool}
        found = self._executor.find({attempt: state.scope for attempt, state in ours.items()}) if ours else {}
        places, now_s = dict[int, str](), time.monotonic()
        taken_over = {}
        for attempt, handle in found.items():
            place = places.setdefault(id(handle), f"job of {attempt}")
            ago_s = self._sightings.unmoved_s(OWN_LEASES, attempt, lease_sign(ours[attempt]))
            leased_at_s = float("-inf") if ago_s is None else now_s - ago_s
            taken_over[attempt] = InFlight(claim_of(ours[attempt]), handle, place, leased_at_s)
        return taken_over

    # --- attempts of others -------------------------------------------------------------------------

    def _others(self, states: TaskStates, in_flight: Mapping[str, InFlight], due: Due) -> dict[str, OtherAttempt]:
        if not (due.start or due.heartbeat or due.after_outage or due.leaving):
            return {}
        others = {a: OtherAttempt(state) for a, state in _running_elsewhere(states, in_flight).items()}
        if due.start or due.heartbeat:
            others = self._with_leases(others)
        if self._me.is_durable and (due.start or due.sweep):
            ours = [attempt for attempt, other in others.items() if other.state.pool == self._me.pool]
            jobless_s = self._sightings.look(_JOBLESS, dict.fromkeys(ours, ""))
            others |= {attempt: replace(others[attempt], jobless_s=jobless_s[attempt]) for attempt in ours}
        return self._with_claimers(others, due)

    def _with_leases(self, others: Mapping[str, OtherAttempt]) -> dict[str, OtherAttempt]:
        """Add for how long leases, and the heartbeats of late attempts, have not changed."""
        signs = {attempt: lease_sign(other.state) for attempt, other in others.items()}
        unchanged_s = self._sightings.look(_LEASES, signs)
        # the duration of a lease is only looked up if its last renewal is older than this
        asked_after_s = min(self._lease_s, watch_s(float("inf")))
        old = {a: other.state for a, other in others.items() if unchanged_s[a] >= asked_after_s}
        lasting_s = self._lease_durations_s(old)
        seen = {
            attempt: replace(other, lease_unchanged_s=unchanged_s[attempt], lease_s=lasting_s.get(attempt))
            for attempt, other in others.items()
        }
        late = [other.state for other in seen.values() if is_late(other)]
        beats = at_once(lambda state: read_beat(self._lake, state.scope, state.attempt or ""), late)
        moved = {
            state.attempt or "": f"{lease_sign(state)} {'' if beat is None else beat.at.isoformat()}"
            for state, beat in zip(late, beats, strict=True)
        }
        still_s = self._sightings.look(_LATE, moved, at_most_s=watch_s(self._lease_s) / 2)
        return seen | {attempt: replace(seen[attempt], signs_unchanged_s=s) for attempt, s in still_s.items()}

    def _with_claimers(self, others: Mapping[str, OtherAttempt], due: Due) -> dict[str, OtherAttempt]:
        """Add who claimed the attempts, where it matters: looking it up reads the log."""
        own_matter = due.after_outage or due.leaving
        asked = [
            other.state
            for other in others.values()
            if due.start
            or is_late(other)
            or other.jobless_s is not None
            or (own_matter and other.state.pool == self._me.pool)
        ]
        now, gone, seen = now_utc(), dict[str, bool](), dict(others)
        for attempt, (actor, at) in claimers(self._lake, asked).items():
            gone.setdefault(actor, process_is_gone(actor))
            seen[attempt] = replace(
                others[attempt],
                claimer=actor,
                claimer_ended=gone[actor],
                claimed_ago_s=(now - at).total_seconds(),
            )
        return seen

    def _lease_durations_s(self, states: Mapping[str, TaskState]) -> dict[str, float]:
        known = {(attempt, lease_sign(state)): state for attempt, state in states.items()}
        unknown = [state for key, state in known.items() if key not in self._durations_s]
        asked_s = lease_durations_s(self._lake, unknown)
        self._durations_s = {key: self._durations_s[key] for key in known if key in self._durations_s}
        self._durations_s |= {(s.attempt or "", lease_sign(s)): asked_s[s.attempt or ""] for s in unknown}
        return {attempt: self._durations_s[attempt, lease_sign(state)] for attempt, state in states.items()}


def _ended(in_flight: Mapping[str, InFlight]) -> frozenset[str]:
    handles = {id(one.handle): one.handle for one in in_flight.values()}
    done = {key for key, handle in handles.items() if handle.done()}
    return frozenset(attempt for attempt, one in in_flight.items() if id(one.handle) in done)


def _beside_others(in_flight: Mapping[str, InFlight]) -> dict[str, str]:
    """Return attempts (attempt -> Scope) that do not run alone: the first need not wait for the last."""
    counts = Counter(id(one.handle) for one in in_flight.values())
    return {attempt: one.claim.scope for attempt, one in in_flight.items() if counts[id(one.handle)] > 1}


def _running_elsewhere(states: TaskStates, in_flight: Collection[str]) -> dict[str, TaskState]:
    """Return running attempts that are not in flight."""
    mine = pl.DataFrame({"attempt": list(in_flight)}, schema={"attempt": pl.String})
    running = states.tasks.filter((pl.col("status") == "running") & pl.col("attempt").is_not_null())
    others: Iterable[str] = running.join(mine, on="attempt", how="anti")["task"]
    return {state.attempt: state for state in states.of(list(others)).values() if state.attempt is not None}
