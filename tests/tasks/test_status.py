"""The status machine, cell by cell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alchemiscale_lake.schemas import STATUSES
from alchemiscale_lake.tasks import Event, Refusal, TaskState, status

NOW = datetime(2025, 1, 1, tzinfo=UTC)
NETWORK = "AlchemicalNetwork-1-o-c-p"


def task(at: str, **changes: object) -> TaskState:
    state = TaskState("o-c-p", "Task-1-o-c-p", "Transformation-1-o-c-p", None, status=at)
    if at == "running":
        state = replace(state, attempt="a1", pool="p", lease_expires_at=NOW)
    return replace(state, **changes)  # type: ignore[arg-type]


def resulting(done: Event | Refusal) -> str | None:
    return done.after.status if isinstance(done, Event) else None


@pytest.mark.parametrize(
    ("to", "allowed"),
    [
        ("waiting", {"waiting", "running", "error"}),
        ("invalid", {"waiting", "running", "complete", "error", "invalid"}),
        ("deleted", {"waiting", "running", "complete", "error", "deleted"}),
    ],
)
@pytest.mark.parametrize("at", STATUSES)
def test_users_set_three_statuses(to: str, allowed: set[str], at: str) -> None:
    done = status.set_status(task(at), to, "because")
    if at == to:
        assert isinstance(done, Refusal)
        assert done.harmless
    elif at in allowed:
        assert isinstance(done, Event)
        assert (done.after.status, done.after.attempt, done.after.lease_expires_at) == (to, None, None)
        assert done.reason == "because"
    else:
        assert isinstance(done, Refusal)
        assert not done.harmless
        assert at in done.reason


@pytest.mark.parametrize("to", ["running", "complete", "error", "nonsense"])
def test_users_do_not_set_what_execution_sets(to: str) -> None:
    done = status.set_status(task("waiting"), to)
    assert isinstance(done, Refusal)
    assert "waiting, invalid or deleted" in done.reason


@pytest.mark.parametrize("at", STATUSES)
def test_only_waiting_tasks_are_claimed(at: str) -> None:
    done = status.claim(task(at), "a2", "q", NOW)
    assert resulting(done) == ("running" if at == "waiting" else None)
    if isinstance(done, Event):
        assert (done.after.attempt, done.after.pool, done.after.lease_expires_at) == ("a2", "q", NOW)


@pytest.mark.parametrize(
    ("at", "becomes"),
    [
        ("waiting", "complete"),
        ("running", "complete"),
        ("error", "complete"),
        ("complete", None),
        ("invalid", None),
        ("deleted", None),
    ],
)
def test_a_good_result_counts_however_late(at: str, becomes: str | None) -> None:
    assert resulting(status.complete(task(at), "an-earlier-attempt")) == becomes


@pytest.mark.parametrize("at", STATUSES)
def test_a_failed_result_speaks_only_for_the_holder(at: str) -> None:
    assert resulting(status.fail(task(at), "a1", "boom")) == ("error" if at == "running" else None)
    assert resulting(status.fail(task(at), "a0", "boom")) is None


@pytest.mark.parametrize("at", STATUSES)
def test_claims_are_released_by_their_holder(at: str) -> None:
    assert resulting(status.release(task(at), "a1", "stop")) == ("waiting" if at == "running" else None)
    assert resulting(status.release(task(at), "a0", "stop")) is None


@pytest.mark.parametrize("at", STATUSES)
def test_a_lease_expires_unless_it_was_renewed_while_it_was_watched(at: str) -> None:
    held = task("running")
    assert resulting(status.expire(task(at), held)) == ("waiting" if at == "running" else None)
    renewed = status.renew(held, "a1", NOW + timedelta(seconds=60))
    assert isinstance(renewed, Event)
    assert resulting(status.expire(renewed.after, held)) is None
    assert resulting(status.expire(renewed.after, renewed.after)) == "waiting"
    assert resulting(status.expire(replace(held, attempt="a2"), held)) is None
    assert isinstance(status.renew(held, "a0", NOW), Refusal)
    assert isinstance(status.renew(task("waiting"), "a1", NOW), Refusal)


@pytest.mark.parametrize("at", STATUSES)
def test_what_can_be_actioned(at: str) -> None:
    done = status.action(task(at), NETWORK, None, None)
    assert isinstance(done, Event) == (at in {"waiting", "running", "error"})
    if isinstance(done, Event):
        assert (done.network, done.weight, done.after.status) == (NETWORK, 0.5, at)


def test_weights_of_actions() -> None:
    waiting = task("waiting")
    again = status.action(waiting, NETWORK, None, 0.7)
    assert isinstance(again, Refusal)
    assert again.harmless
    assert isinstance(status.action(waiting, NETWORK, 0.2, 0.7), Event)
    for bad in (-0.1, 1.1, float("nan")):
        assert isinstance(status.action(waiting, NETWORK, bad, None), Refusal)
        assert isinstance(status.set_weight(waiting, NETWORK, bad, 0.5), Refusal)
    not_there = status.set_weight(waiting, NETWORK, 0.5, None)
    assert isinstance(not_there, Refusal)
    assert not not_there.harmless
    cancelled = status.cancel(waiting, NETWORK, 0.5)
    assert isinstance(cancelled, Event)
    assert cancelled.weight is None


@pytest.mark.parametrize(("priority", "fits"), [(1, True), (2**63 - 1, True), (0, False), (-5, False), (2**63, False)])
def test_priorities_are_whole_numbers_from_one(priority: int, fits: bool) -> None:
    assert isinstance(status.set_priority(task("complete"), priority), Event) == fits


def test_extending() -> None:
    parent = task("complete", task="Task-0-o-c-p")
    child = task("waiting", extends=parent.task)
    assert isinstance(status.create(child, parent), Event)
    assert isinstance(status.create(child, replace(parent, status="waiting")), Event)
    for refused in (None, replace(parent, transformation="Transformation-2-o-c-p"), replace(parent, status="invalid")):
        done = status.create(child, refused)
        assert isinstance(done, Refusal)
        assert parent.task in done.reason


LATER = NOW + timedelta(seconds=60)
ERROR = task("error")
RUNNING = task("running")
FREED = {"attempt": None, "pool": None, "lease_expires_at": None}
ID = "Task-1-o-c-p"


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (
            status.cancel(ERROR, NETWORK, 0.5, reason="r", pattern="p", pattern_seq=3),
            Event("cancelled", ERROR, network=NETWORK, reason="r", pattern="p", pattern_seq=3),
        ),
        (status.cancel(ERROR, NETWORK, None), Refusal(ID, f"it is not actioned on {NETWORK}", harmless=True)),
        (status.cancel(ERROR, NETWORK, 0.0), Event("cancelled", ERROR, network=NETWORK)),
        (status.set_weight(ERROR, NETWORK, 0.2, 0.5), Event("weight", ERROR, network=NETWORK, weight=0.2)),
        (status.set_weight(ERROR, NETWORK, 0.0, 0.0), Event("weight", ERROR, network=NETWORK, weight=0.0)),
        (
            status.set_weight(ERROR, NETWORK, 0.2, None),
            Refusal(ID, f"it is not actioned on {NETWORK}; action it first"),
        ),
        (
            status.set_weight(ERROR, NETWORK, 1.5, 0.5),
            Refusal(ID, "a weight must be between 0 and 1, not 1.5"),
        ),
        (status.set_priority(ERROR, 3), Event("priority", replace(ERROR, priority=3))),
        (
            status.set_priority(replace(ERROR, priority=3), 3),
            Refusal(ID, "its priority is already 3", harmless=True),
        ),
        (
            status.set_priority(ERROR, 0),
            Refusal(ID, "a priority is a whole number from 1 to 2^63 - 1, not 0"),
        ),
        (
            status.renew(RUNNING, "a1", LATER),
            Event("renewed", replace(RUNNING, lease_expires_at=LATER), of_attempt="a1"),
        ),
        (status.renew(RUNNING, "a2", LATER), Refusal(ID, "attempt a2 no longer holds it")),
        (
            status.release(RUNNING, "a1", "why"),
            Event("released", replace(RUNNING, status="waiting", **FREED), of_attempt="a1", reason="why"),
        ),
        (status.release(RUNNING, "a2", "why"), Refusal(ID, "attempt a2 no longer holds it", harmless=True)),
        (
            status.fail(RUNNING, "a1", "why"),
            Event("failed", replace(RUNNING, status="error", **FREED), of_attempt="a1", reason="why"),
        ),
        (status.fail(RUNNING, "a2", "why"), Refusal(ID, "attempt a2 no longer holds it", harmless=True)),
        (
            status.expire(RUNNING, RUNNING),
            Event(
                "expired",
                replace(RUNNING, status="waiting", **FREED),
                of_attempt="a1",
                reason="no renewal within the lease",
            ),
        ),
        (
            status.expire(replace(RUNNING, lease_expires_at=LATER), RUNNING),
            Refusal(ID, "its lease was renewed", harmless=True),
        ),
        (
            status.expire(replace(RUNNING, attempt="a2"), RUNNING),
            Refusal(ID, "attempt a1 no longer holds it", harmless=True),
        ),
        (
            status.expire(task("waiting"), task("waiting")),
            Refusal(ID, "attempt None no longer holds it", harmless=True),
        ),
        (
            status.complete(RUNNING, "a0"),
            Event("completed", replace(RUNNING, status="complete", **FREED), of_attempt="a0"),
        ),
        (status.complete(task("complete"), "a0"), Refusal(ID, "it is already complete", harmless=True)),
        (
            status.complete(task("invalid"), "a0"),
            Refusal(ID, "it is invalid; the result is kept, the Task stays invalid"),
        ),
        (status.lose(task("complete"), "gone"), Event("failed", task("error"), reason="gone")),
        (status.lose(ERROR, "gone"), Refusal(ID, "it is error, not complete", harmless=True)),
        (
            status.restart(ERROR, NETWORK, 0.3, of_attempt="a1", reason="r", pattern="p", pattern_seq=3),
            Event(
                "restarted",
                task("waiting"),
                network=NETWORK,
                weight=0.3,
                of_attempt="a1",
                reason="r",
                pattern="p",
                pattern_seq=3,
            ),
        ),
        (
            status.restart(RUNNING, NETWORK, 0.3, of_attempt="a1", reason="r", pattern="p", pattern_seq=3),
            Refusal(ID, "it is running; only Tasks in error are restarted", harmless=True),
        ),
        (
            status.restart(ERROR, NETWORK, None, of_attempt="a1", reason="r", pattern="p", pattern_seq=3),
            Refusal(ID, f"it is not actioned on {NETWORK}", harmless=True),
        ),
        (status.action(ERROR, NETWORK, 0.2, 0.5), Event("actioned", ERROR, network=NETWORK, weight=0.2)),
        (status.action(ERROR, NETWORK, 0.5, 0.5), Refusal(ID, "it is already actioned there", harmless=True)),
        (
            status.action(task("complete"), NETWORK, None, None),
            Refusal(ID, "it is complete; only waiting, running and error Tasks can be actioned"),
        ),
        (
            status.set_status(RUNNING, "waiting", "why"),
            Event("status", replace(RUNNING, status="waiting", **FREED), of_attempt="a1", reason="why"),
        ),
    ],
)
def test_events_and_refusals_in_full(done: Event | Refusal, expected: Event | Refusal) -> None:
    assert done == expected
