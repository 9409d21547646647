"""Recorded results without an event get one: a killed recorder leaves no Task behind that is run again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.statestore.claims import Claim, claim_tasks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_ends import RECENT, EndedTask, end_recorded
from alchemiscale_lake.statestore.task_operations import ensure_tasks, set_tasks_status
from alchemiscale_lake.store import Lake
from tests.claims import end_claims
from tests.plain import SCOPE, plain_chain, plain_receipt
from tests.statestore.test_result_recording import spec, status_of


class Killed(BaseException):
    """Simulated death of the recorder: nothing may catch this."""


@pytest.fixture
def claim(lake: Lake) -> Claim:
    submitted = submit_network(lake, plain_chain([("a", "b")]), SCOPE)
    ensure_tasks(lake, submitted.network, 1, caller=Caller("ana"))
    (claim,) = claim_tasks(lake, "p", 1, lease_s=600, caller=Caller("d"))
    return claim


def record_and_die(lake: Lake, claim: Claim, *, ok: bool = True) -> None:
    def die(name: str) -> None:
        if name == "results:before-event":
            raise Killed(name)

    with fault_hook(die), pytest.raises(Killed):
        record_receipts(lake, [plain_receipt(spec(claim), ok=ok)], caller=Caller("d"))


@pytest.mark.parametrize("within", [None, RECENT])
def test_a_late_good_result_without_its_event_ends_its_task(lake: Lake, claim: Claim, within: timedelta | None) -> None:
    end_claims(lake, {claim.attempt: claim.task}, caller=Caller("d"), reason="lost")
    record_and_die(lake, claim)
    assert status_of(lake, claim) == "waiting"
    assert end_recorded(lake, caller=Caller("e"), within=within) == [EndedTask(claim.task, claim.attempt, True)]
    assert status_of(lake, claim) == "complete"
    version = lake.table("task_log").snapshot().version()
    assert end_recorded(lake, caller=Caller("e")) == []
    assert lake.table("task_log").snapshot().version() == version


def test_it_ends_for_a_later_claim_of_the_task_too(lake: Lake, claim: Claim) -> None:
    end_claims(lake, {claim.attempt: claim.task}, caller=Caller("d"), reason="lost")
    record_and_die(lake, claim)
    (again,) = claim_tasks(lake, "p", 1, lease_s=600, caller=Caller("d2"))
    end_recorded(lake, caller=Caller("e"))
    assert status_of(lake, claim) == "complete"
    record_receipts(lake, [plain_receipt(spec(again), ok=False)], caller=Caller("d2"))
    assert status_of(lake, claim) == "complete"


@pytest.mark.parametrize("holds", [True, False])
def test_a_failed_result_ends_its_task_while_its_attempt_holds_the_claim(
    lake: Lake, claim: Claim, *, holds: bool
) -> None:
    record_and_die(lake, claim, ok=False)
    if not holds:
        end_claims(lake, {claim.attempt: claim.task}, caller=Caller("d"), reason="lost")
    ended = end_recorded(lake, caller=Caller("e"))
    assert [(e.task, e.ok) for e in ended] == ([(claim.task, False)] if holds else [])
    assert status_of(lake, claim) == ("error" if holds else "waiting")


@pytest.mark.parametrize("decided", ["invalid", "deleted"])
def test_what_a_person_decided_since_stands(lake: Lake, claim: Claim, decided: str) -> None:
    record_and_die(lake, claim)
    set_tasks_status(lake, [claim.task], decided, caller=Caller("ana"))
    assert end_recorded(lake, caller=Caller("e")) == []
    assert status_of(lake, claim) == decided
