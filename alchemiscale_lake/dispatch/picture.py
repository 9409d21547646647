"""The picture: everything that a dispatcher's decision about attempts depends on, as of the start of a turn.

Plain immutable data. `observation` takes it, `decision` decides on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ..caller import Caller
from ..execution.assignment import AttemptSpec
from ..execution.heartbeat import Beat
from ..schemas.receipt import Receipt
from ..statestore.claims import Claim, claim_of
from ..store import NetworkState
from ..tasks import TaskState, TaskStates
from .attempt_outcome import AttemptEnding
from .executor import Handle

__all__ = ["NOTHING_DUE", "Due", "Identity", "InFlight", "OtherAttempt", "Picture", "Silence", "spec_of"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A dispatcher as its claims name it.

    Attributes
    ----------
    pool : str
    role : str
        `jobs` if its assignments continue without it, else `dispatch`.
    actor : str
        Name of its process.
    """

    pool: str
    role: str
    actor: str

    @property
    def caller(self) -> Caller:
        """Return it as the caller of operations."""
        return Caller(self.actor)

    @property
    def is_durable(self) -> bool:
        """Return whether its assignments continue without it."""
        return self.role == "jobs"


@dataclass(frozen=True, slots=True)
class Due:
    """Checks that are due in a turn.

    Attributes
    ----------
    start : bool
        First turn: also look for what earlier dispatchers left.
    after_outage : bool
        The last turn failed: claims of this dispatcher may be in the log without being in flight.
    heartbeat : bool
        Leases, the claims of others, actions that were cancelled.
    silence : bool
        Heartbeats of the attempts in flight.
    sweep, sweep_all : bool
        Late receipts of recent attempts, of all attempts; jobs that have disappeared.
    leaving : bool
        Last turn: receipts of everything in flight.
    """

    start: bool = False
    after_outage: bool = False
    heartbeat: bool = False
    silence: bool = False
    sweep: bool = False
    sweep_all: bool = False
    leaving: bool = False


NOTHING_DUE: Final = Due()


@dataclass(frozen=True, slots=True)
class InFlight:
    """One attempt that was submitted to the engine and is not recorded yet.

    Attributes
    ----------
    claim : Claim
    handle : Handle
        Of its assignment; attempts of one assignment share it.
    place : str
    leased_at_s : float
        Monotonic time before its claim or its last renewal; minus infinity if unknown.
    is_stopping : bool
        Whether it was asked to stop.
    """

    claim: Claim
    handle: Handle
    place: str
    leased_at_s: float = float("-inf")
    is_stopping: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """The last heartbeat of an attempt in flight.

    Attributes
    ----------
    beat : Beat
    unchanged_s : float
        Time for which it was observed without a change.
    """

    beat: Beat
    unchanged_s: float


@dataclass(frozen=True, slots=True)
class OtherAttempt:
    """A running attempt that is not in flight at this dispatcher. None means that it was not looked up.

    Attributes
    ----------
    state : TaskState
    claimer : str or None
        Name of the process that claimed it.
    claimer_ended : bool
        Whether that process ran on this machine and has ended.
    claimed_ago_s : float or None
        Time since the claim by the clock of the claimer.
    lease_unchanged_s : float
        Time for which the lease was observed without a renewal.
    lease_s : float or None
        Duration of the lease.
    signs_unchanged_s : float or None
        Time for which an expired lease and the heartbeat were observed without a change.
    jobless_s : float or None
        Time for which the engine was observed to have no job of it.
    """

    state: TaskState
    claimer: str | None = None
    claimer_ended: bool = False
    claimed_ago_s: float | None = None
    lease_unchanged_s: float = 0.0
    lease_s: float | None = None
    signs_unchanged_s: float | None = None
    jobless_s: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """State of the lake and the engine, as observed in one turn.

    Attributes
    ----------
    me : Identity
    at_s : float
        Monotonic time.
    due : Due
        What was looked at.
    states : TaskStates
    lease_s, watch_s : float
        Duration of this dispatcher's leases; how long the expired lease of another is watched.
    networks : mapping
        State of every network with a decision.
    in_flight : mapping
        By attempt; including jobs of earlier dispatchers of the pool that were found in the queue.
    ended : frozenset of str
        Attempts in flight whose assignment has ended.
    receipts : mapping
        By attempt.
    endings : mapping
        By attempt, of those that ended without a receipt.
    earlier_endings : mapping
        Number of earlier endings by Task and kind.
    silences : mapping
        By attempt in flight; only those with a heartbeat.
    others : mapping
        By attempt.
    """

    me: Identity
    at_s: float
    due: Due
    states: TaskStates
    lease_s: float = 60.0
    watch_s: float = 120.0
    networks: Mapping[str, NetworkState] = field(default_factory=dict)
    in_flight: Mapping[str, InFlight] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    receipts: Mapping[str, Receipt] = field(default_factory=dict)
    endings: Mapping[str, AttemptEnding] = field(default_factory=dict)
    earlier_endings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    silences: Mapping[str, Silence] = field(default_factory=dict)
    others: Mapping[str, OtherAttempt] = field(default_factory=dict)

    def claim(self, attempt: str) -> Claim:
        """Return the claim of an attempt, in flight or not."""
        known = self.in_flight.get(attempt)
        return claim_of(self.others[attempt].state) if known is None else known.claim


def spec_of(claim: Claim) -> AttemptSpec:
    """Convert a claim to an attempt of an assignment."""
    return AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)
