"""The status machine: which event may follow which state.

Statuses and transitions are those of alchemiscale. Each function takes a Task's state and returns the `Event` to log,
or a `Refusal` with the reason; nothing is refused silently.

======== ============================== =======================================================
to       from                           by
======== ============================== =======================================================
waiting  running, error (waiting)       user; release; expired lease; restart pattern
running  waiting                        claim
complete waiting, running, error        a good result, however late
error    running                        a failed result of the attempt that holds the claim
error    complete                       the loss of its results, which repair finds
invalid  all but deleted                user; with every Task that extends it
deleted  all but invalid                user; with every Task that extends it
======== ============================== =======================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from .states import ACTIONABLE, Event, TaskState
from .task_values import STATUSES_BY_USER, bad_priority, bad_user_status, bad_weight

__all__ = [
    "Refusal",
    "action",
    "cancel",
    "claim",
    "complete",
    "create",
    "expire",
    "fail",
    "lose",
    "release",
    "renew",
    "restart",
    "set_priority",
    "set_status",
    "set_weight",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reason why a Task was left unchanged; `harmless` if it already has the requested state.

    Attributes
    ----------
    task : str
        ScopedKey.
    reason : str
        Message for the user.
    harmless : bool, default False
        The Task already has the requested state.
    """

    task: str
    reason: str
    harmless: bool = False


def create(state: TaskState, extended: TaskState | None) -> Event | Refusal:
    """Create a Task with the given state.

    Parameters
    ----------
    state : TaskState
        State of the new Task.
    extended : TaskState or None
        State of the Task that it extends; None if it extends none or that one is unknown.
    """
    if state.extends is not None:
        if extended is None:
            return Refusal(state.task, f"the Task it extends, {state.extends}, does not exist")
        if extended.transformation != state.transformation:
            return Refusal(state.task, f"the Task it extends, {state.extends}, performs another Transformation")
        if extended.status in ("invalid", "deleted"):
            return Refusal(state.task, f"the Task it extends, {state.extends}, is {extended.status}")
    return Event("created", state)


def action(
    state: TaskState, network: str, weight: float | None, standing: float | None, reason: str | None = None
) -> Event | Refusal:
    """Action a Task on a network; `standing` is its current weight there, if any.

    Without a weight, a new action gets 0.5 and an existing one is left as it is.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    network : str
        ScopedKey of the network.
    weight : float or None
        Weight of the action, within [0, 1]; None keeps it.
    standing : float or None
        Weight of the Task's action on the network; None if it is not actioned there.
    reason : str, optional
        Free text, recorded in the log.
    """
    if state.status not in ACTIONABLE:
        return Refusal(state.task, f"it is {state.status}; only waiting, running and error Tasks can be actioned")
    bad = bad_weight(weight)
    if bad:
        return Refusal(state.task, bad)
    if standing is not None and weight in (None, standing):
        return Refusal(state.task, "it is already actioned there", harmless=True)
    return Event("actioned", state, network=network, weight=0.5 if weight is None else weight, reason=reason)


def cancel(
    state: TaskState,
    network: str,
    standing: float | None,
    *,
    reason: str | None = None,
    pattern: str | None = None,
    pattern_seq: int | None = None,
) -> Event | Refusal:
    """Cancel a Task's action on a network, optionally by a restart pattern. Its status is unchanged.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    network : str
        ScopedKey of the network.
    standing : float or None
        Weight of the Task's action on the network; None if it is not actioned there.
    reason : str, optional
        Free text, recorded in the log.
    pattern : str, optional
        Restart pattern that cancels; None if a user does.
    pattern_seq : int, optional
        Number of the commit that added the pattern.
    """
    if standing is None:
        return Refusal(state.task, f"it is not actioned on {network}", harmless=True)
    return Event("cancelled", state, network=network, reason=reason, pattern=pattern, pattern_seq=pattern_seq)


def set_weight(
    state: TaskState, network: str, weight: float, standing: float | None, reason: str | None = None
) -> Event | Refusal:
    """Change the weight of an existing action.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    network : str
        ScopedKey of the network.
    weight : float
        Within [0, 1].
    standing : float or None
        Weight of the Task's action on the network; None if it is not actioned there.
    reason : str, optional
        Free text, recorded in the log.
    """
    if standing is None:
        return Refusal(state.task, f"it is not actioned on {network}; action it first")
    bad = bad_weight(weight)
    return Refusal(state.task, bad) if bad else Event("weight", state, network=network, weight=weight, reason=reason)


def set_priority(state: TaskState, priority: int, reason: str | None = None) -> Event | Refusal:
    """Change the priority; lower numbers go first.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    priority : int
        The lower number is claimed first.
    reason : str, optional
        Free text, recorded in the log.
    """
    bad = bad_priority(priority)
    if bad:
        return Refusal(state.task, bad)
    if priority == state.priority:
        return Refusal(state.task, f"its priority is already {priority}", harmless=True)
    return Event("priority", replace(state, priority=priority), reason=reason)


def set_status(state: TaskState, status: str, reason: str | None = None) -> Event | Refusal:
    """Set the status as a user may: `waiting`, `invalid` or `deleted`.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    status : str
        The new status.
    reason : str, optional
        Free text, recorded in the log.
    """
    allowed = STATUSES_BY_USER.get(status)
    if allowed is None:
        return Refusal(state.task, bad_user_status(status) or "")
    if state.status not in allowed:
        return Refusal(
            state.task, f"it is {state.status}, and a Task can become {status} only from {', '.join(allowed)}"
        )
    if state.status == status:
        return Refusal(state.task, f"it is already {status}", harmless=True)
    return Event("status", _free(state, status), of_attempt=state.attempt, reason=reason)


def claim(state: TaskState, attempt: str, pool: str, lease_expires_at: datetime) -> Event | Refusal:
    """Claim a waiting Task for a pool, under a new attempt.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    attempt : str
        Identifier of the new attempt.
    pool : str
        Name of the pool.
    lease_expires_at : datetime
        End of the lease, UTC.
    """
    if state.status != "waiting":
        return Refusal(state.task, f"it is {state.status}, not waiting")
    after = replace(state, status="running", attempt=attempt, pool=pool, lease_expires_at=lease_expires_at)
    return Event("claimed", after, of_attempt=attempt)


def renew(state: TaskState, attempt: str, lease_expires_at: datetime) -> Event | Refusal:
    """Extend the lease of an attempt.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    attempt : str
        Identifier of the attempt.
    lease_expires_at : datetime
        New end of the lease, UTC.
    """
    if state.attempt != attempt:
        return Refusal(state.task, f"attempt {attempt} no longer holds it")
    return Event("renewed", replace(state, lease_expires_at=lease_expires_at), of_attempt=attempt)


def complete(state: TaskState, attempt: str) -> Event | Refusal:
    """Complete a Task with a good result. A late result counts too, whoever holds the claim by now.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    attempt : str
        Identifier of the attempt.
    """
    if state.status == "complete":
        return Refusal(state.task, "it is already complete", harmless=True)
    if state.status not in ACTIONABLE:
        return Refusal(state.task, f"it is {state.status}; the result is kept, the Task stays {state.status}")
    return Event("completed", _free(state, "complete"), of_attempt=attempt)


def fail(state: TaskState, attempt: str, reason: str | None) -> Event | Refusal:
    """End an attempt with a failed result. It changes the Task only while the attempt holds the claim.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    attempt : str
        Identifier of the attempt.
    reason : str or None
        Type and message of the failure.
    """
    if state.attempt != attempt:
        return Refusal(state.task, f"attempt {attempt} no longer holds it", harmless=True)
    return Event("failed", _free(state, "error"), of_attempt=attempt, reason=reason)


def lose(state: TaskState, reason: str) -> Event | Refusal:
    """Put a complete Task in error because none of its good results exists any more.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    reason : str
        Free text, recorded in the log.
    """
    if state.status != "complete":
        return Refusal(state.task, f"it is {state.status}, not complete", harmless=True)
    return Event("failed", _free(state, "error"), reason=reason)


def release(state: TaskState, attempt: str, reason: str | None) -> Event | Refusal:
    """Release a claim without a result.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    attempt : str
        Identifier of the attempt.
    reason : str or None
        Kind of the ending, such as `lost`.
    """
    if state.attempt != attempt:
        return Refusal(state.task, f"attempt {attempt} no longer holds it", harmless=True)
    return Event("released", _free(state, "waiting"), of_attempt=attempt, reason=reason)


def restart(
    state: TaskState,
    network: str,
    standing: float | None,
    *,
    of_attempt: str | None,
    reason: str,
    pattern: str,
    pattern_seq: int,
) -> Event | Refusal:
    """Restart a Task in error, by a restart pattern of a network on which it is actioned.

    Parameters
    ----------
    state : TaskState
        State of the Task before the event.
    network : str
        ScopedKey of the network.
    standing : float or None
        Weight of the Task's action on the network; None if it is not actioned there.
    of_attempt : str or None
        Attempt that failed.
    reason : str
        Free text, recorded in the log.
    pattern : str
        Restart pattern that decided.
    pattern_seq : int
        Number of the commit that added the pattern.
    """
    if state.status != "error":
        return Refusal(state.task, f"it is {state.status}; only Tasks in error are restarted", harmless=True)
    if standing is None:
        return Refusal(state.task, f"it is not actioned on {network}", harmless=True)
    return Event(
        "restarted",
        _free(state, "waiting"),
        network=network,
        weight=standing,
        of_attempt=of_attempt,
        reason=reason,
        pattern=pattern,
        pattern_seq=pattern_seq,
    )


def expire(state: TaskState, watched: TaskState) -> Event | Refusal:
    """Expire a claim whose lease ran out, unless it was renewed since it was `watched`.

    No clock is read here: the watcher has seen the lease unchanged for its whole duration.

    Parameters
    ----------
    state : TaskState
        State of the Task now.
    watched : TaskState
        State when the watch of its lease began.
    """
    if state.attempt is None or state.attempt != watched.attempt:
        return Refusal(state.task, f"attempt {watched.attempt} no longer holds it", harmless=True)
    if state.lease_expires_at != watched.lease_expires_at:
        return Refusal(state.task, "its lease was renewed", harmless=True)
    return Event("expired", _free(state, "waiting"), of_attempt=state.attempt, reason="no renewal within the lease")


def _free(state: TaskState, status: str) -> TaskState:
    return replace(state, status=status, attempt=None, pool=None, lease_expires_at=None)
