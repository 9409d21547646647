"""The decision of a turn about attempts: which to record, fail, release, stop and renew.

A pure function of the picture: the same picture leads to the same decision, without a lake or an engine. What to claim
is decided in `allocation`, on the states after this decision was carried out (`acts.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import polars as pl

from ..schemas.receipt import Receipt
from ..statestore.claims import Claim
from ..statestore.unwanted_tasks import release_events
from ..tasks import TaskState
from .attempt_outcome import UNTOUCHED, AttemptEnding, failure_of
from .cooling import PlaceRefusal
from .executor import Handle
from .lease_monitor import due_for_renewal, renewed_lease_s, silent_attempts
from .picture import InFlight, Picture
from .recovery import Recovery, attempts_to_recover

__all__ = ["Decision", "decide"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Actions on attempts, in this order: a worker is stopped before its Task is released, so that no two run it.

    Attributes
    ----------
    stop : tuple of Claim
        Attempts to ask to stop.
    cancel : tuple of Handle
        Assignments of which no attempt is wanted any more.
    record : tuple of Receipt
    recovered : frozenset of str
        Attempts among `record` that were not in flight.
    fail : mapping
        Attempt without a receipt -> exception with which its Task fails.
    release : mapping
        Attempt -> reason.
    expire : tuple of TaskState
        Running Tasks whose leases expired.
    renew : frozenset of str
    lease_s : float
        Duration of the renewed leases.
    release_unwanted : bool
        Whether a running Task is not actioned on any active network.
    settled : frozenset of str
        Attempts that are no longer in flight.
    refusals : tuple of PlaceRefusal
        Places and Tasks to avoid for a while.
    silent : mapping
        Attempts that are given up because of their last heartbeat -> host and time of it, as text.
    """

    stop: tuple[Claim, ...] = ()
    cancel: tuple[Handle, ...] = ()
    record: tuple[Receipt, ...] = ()
    recovered: frozenset[str] = frozenset()
    fail: Mapping[str, str] = field(default_factory=dict)
    release: Mapping[str, str] = field(default_factory=dict)
    expire: tuple[TaskState, ...] = ()
    renew: frozenset[str] = frozenset()
    lease_s: float = 0.0
    release_unwanted: bool = False
    settled: frozenset[str] = frozenset()
    refusals: tuple[PlaceRefusal, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict)


def decide(picture: Picture) -> Decision:
    """Decide what to do about the attempts in a picture."""
    left = picture.receipts.keys()
    recoveries = attempts_to_recover(picture.me, picture.others, picture.watch_s)
    given_up = {attempt: recovery for attempt, recovery in recoveries.items() if attempt not in left}
    if picture.due.leaving and not picture.me.is_durable:
        return _decide_to_leave(picture, given_up)
    silent = silent_attempts(picture.silences) - left - picture.ended
    taken = _taken_away(picture)
    endings = _endings(picture, silent, given_up)
    # an attempt that lost its Task, or left a receipt, decides nothing about it
    counting = {attempt: ending for attempt, ending in endings.items() if attempt not in taken}
    fail, release = _outcomes(picture, counting)
    release |= {a: recovery.reason for a, recovery in given_up.items() if recovery.kind == "released"}
    settled = frozenset(picture.in_flight.keys() & left) | picture.ended | silent
    staying = {attempt: one for attempt, one in picture.in_flight.items() if attempt not in settled}
    stop = {attempt for attempt in taken if attempt in staying and not staying[attempt].is_stopping} | silent
    lease_s = renewed_lease_s(picture.lease_s, len(staying))
    holding = {attempt: one for attempt, one in staying.items() if attempt not in taken}
    return Decision(
        stop=tuple(picture.claim(attempt) for attempt in sorted(stop | given_up.keys())),
        cancel=_unwanted_assignments(picture.in_flight, stop, staying.keys() - stop),
        record=tuple(picture.receipts.values()),
        recovered=frozenset(left - picture.in_flight.keys()),
        fail=fail,
        release=release,
        expire=tuple(picture.others[a].state for a, recovery in given_up.items() if recovery.kind == "expired"),
        renew=frozenset(due_for_renewal(holding, lease_s, picture.at_s) if picture.due.heartbeat else ()),
        lease_s=lease_s,
        release_unwanted=picture.due.heartbeat and bool(release_events(picture.states, picture.networks)),
        settled=settled,
        refusals=_refusals(picture, counting),
        silent={a: f"{s.beat.hostname} since {s.beat.at}" for a, s in picture.silences.items() if a in silent},
    )


def _decide_to_leave(picture: Picture, given_up: Mapping[str, Recovery]) -> Decision:
    """Release everything that cannot continue without this dispatcher."""
    left = picture.receipts.keys()
    open_ = {attempt: "the dispatcher stopped" for attempt in picture.in_flight if attempt not in left}
    return Decision(
        stop=tuple(picture.claim(attempt) for attempt in sorted(open_.keys() | given_up.keys())),
        record=tuple(picture.receipts.values()),
        recovered=frozenset(left - picture.in_flight.keys()),
        release=open_ | {attempt: recovery.reason for attempt, recovery in given_up.items()},
        settled=frozenset(picture.in_flight),
    )


def _taken_away(picture: Picture) -> set[str]:
    """Return attempts in flight that lost their Task: cancelled, set invalid, completed by an earlier attempt."""
    if not picture.in_flight:
        return set()
    in_flight = pl.DataFrame({"attempt": list(picture.in_flight)})
    held = picture.states.with_status("running").select("attempt")
    return set(in_flight.join(held, on="attempt", how="anti")["attempt"])


def _endings(picture: Picture, silent: Collection[str], given_up: Mapping[str, Recovery]) -> dict[str, AttemptEnding]:
    """Return how attempts without a receipt ended."""
    lost = {a for a, recovery in given_up.items() if recovery.kind == "lost"}
    known = {
        attempt: ending
        for attempt, ending in picture.endings.items()
        if attempt not in picture.receipts and (attempt in picture.in_flight or attempt in lost)
    }
    return known | {a: AttemptEnding("lost", f"no heartbeat from {picture.silences[a].beat.hostname}") for a in silent}


def _outcomes(picture: Picture, endings: Mapping[str, AttemptEnding]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the Tasks that fail (attempt -> exception), and those that are requeued (attempt -> reason)."""
    fail, release = dict[str, str](), dict[str, str]()
    for attempt, ending in endings.items():
        earlier = picture.earlier_endings.get((picture.claim(attempt).task, ending.kind), 0)
        exception = failure_of(ending, earlier)
        if exception is None:
            release[attempt] = str(ending)
        else:
            fail[attempt] = exception
    return fail, release


def _refusals(picture: Picture, endings: Mapping[str, AttemptEnding]) -> tuple[PlaceRefusal, ...]:
    # a worker that was asked to stop implies nothing about the Task
    return tuple(
        PlaceRefusal(picture.in_flight[attempt].place, picture.claim(attempt).task, is_counted=ending.kind != "stopped")
        for attempt, ending in endings.items()
        if attempt in picture.ended and ending.kind in UNTOUCHED
    )


def _unwanted_assignments(
    in_flight: Mapping[str, InFlight], stop: Collection[str], going_on: Collection[str]
) -> tuple[Handle, ...]:
    """Return the assignments of attempts to stop, none of whose other attempts goes on."""
    if not stop:
        return ()
    wanted = {id(in_flight[attempt].handle) for attempt in going_on if not in_flight[attempt].is_stopping}
    handles = {id(one.handle): one.handle for one in (in_flight[attempt] for attempt in stop)}
    return tuple(handle for key, handle in handles.items() if key not in wanted)
