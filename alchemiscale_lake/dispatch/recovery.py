"""Recovery of attempts that this dispatcher did not submit or lost track of: which are given up, and how.

Pure rules: attempts of others whose leases expired or whose processes ended, jobs that disappeared from their queue,
own claims whose submission failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from .lease_monitor import is_expired
from .picture import Identity, OtherAttempt

__all__ = ["Recovery", "attempts_to_recover", "recovery_of"]

#: A younger claim without a job may belong to a dispatcher elsewhere that is just submitting it.
_SUBMITTING_S: Final = 600.0
#: A job that was just submitted may not be listed by its queue yet.
_UNLISTED_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """Release of an attempt that left no receipt.

    Attributes
    ----------
    kind : str
        `released` for the given reason, `expired` with its lease, or `lost` with its job: it ends like an attempt in
        flight whose worker was lost.
    reason : str
    """

    kind: Literal["released", "expired", "lost"]
    reason: str = ""


def attempts_to_recover(me: Identity, others: Mapping[str, OtherAttempt], watch_s: float) -> dict[str, Recovery]:
    """Return the attempts to give up.

    Parameters
    ----------
    me : Identity
    others : mapping
        Running attempts that are not in flight here, by attempt.
    watch_s : float
        How long an expired lease is watched.
    """
    found = ((attempt, recovery_of(me, other, watch_s)) for attempt, other in others.items())
    return {attempt: recovery for attempt, recovery in found if recovery is not None}


def recovery_of(me: Identity, other: OtherAttempt, watch_s: float) -> Recovery | None:
    """Return how to give up an attempt, None if it is left alone.

    Parameters
    ----------
    me : Identity
        This dispatcher.
    other : OtherAttempt
        Attempt of another dispatcher, as observed.
    watch_s : float
        Time for which it is observed before it is given up, s.
    """
    claimer = other.claimer or ""
    if claimer == me.actor:
        return Recovery("released", "it could not be dispatched")
    if other.claimer_ended and claimer.startswith("dispatch:"):
        return Recovery("released", "its dispatcher ended")
    if _is_jobless(me, other):
        return Recovery("lost", "its job is gone")
    return Recovery("expired") if is_expired(other, watch_s) else None


def _is_jobless(me: Identity, other: OtherAttempt) -> bool:
    if other.jobless_s is None or not (other.claimer or "").startswith(f"{me.role}:"):
        return False
    if not other.claimer_ended:
        return other.jobless_s > _SUBMITTING_S
    # the claim is from this machine, and so is its time; if the clock was set since, the job is stopped before it
    # starts, or waited for a little longer
    return max(other.jobless_s, other.claimed_ago_s or 0.0) > _UNLISTED_S
