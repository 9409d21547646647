from __future__ import annotations

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import Claim, claim_tasks
from alchemiscale_lake.statestore.result_recording import GoodResult, good_results, record_receipts, unrecorded_attempts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks, set_tasks_status
from alchemiscale_lake.store import Lake, attempt_folder
from tests.claims import end_claims
from tests.plain import SCOPE, plain_chain, plain_receipt


@pytest.fixture
def claims(lake: Lake) -> list[Claim]:
    submitted = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE)
    ensure_tasks(lake, submitted.network, 1, caller=Caller("ana"))
    return claim_tasks(lake, "p", 2, lease_s=0, caller=Caller("d"))


def spec(claim: Claim) -> AttemptSpec:
    return AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)


def status_of(lake: Lake, claim: Claim) -> str:
    return lake.task_log.states().of([claim.task])[claim.task].status


def test_recording_fills_the_tables_and_ends_the_tasks(lake: Lake, claims: list[Claim]) -> None:
    good, bad = claims
    recorded = record_receipts(
        lake, [plain_receipt(spec(good)), plain_receipt(spec(bad), ok=False)], caller=Caller("d")
    )
    assert [(r.ok, r.new) for r in recorded] == [(True, True), (False, True)]
    assert (status_of(lake, good), status_of(lake, bad)) == ("complete", "error")
    counts = {t: lake.table(t).scan().collect().height for t in ("results", "unit_results", "result_files", "hosts")}
    assert counts == {"results": 2, "unit_results": 2, "result_files": 2, "hosts": 1}
    failed = lake.table("task_log").scan().collect().filter(event="failed")
    assert failed["reason"].to_list() == ["ValueError: it was asked to fail"]


def test_recording_again_changes_nothing(lake: Lake, claims: list[Claim]) -> None:
    receipts = [plain_receipt(spec(c)) for c in claims]
    record_receipts(lake, receipts, caller=Caller("d"))
    versions = {t: lake.table(t).snapshot().version() for t in ("results", "unit_results", "result_files", "task_log")}
    again = record_receipts(lake, receipts, caller=Caller("other"))
    assert [r.new for r in again] == [False, False]
    assert versions == {t: lake.table(t).snapshot().version() for t in versions}


def test_a_late_good_result_completes_its_task_regardless_of_the_claim(lake: Lake, claims: list[Claim]) -> None:
    late = claims[0]
    end_claims(lake, {late.attempt: late.task}, caller=Caller("d"), reason="lost")
    (again,) = claim_tasks(lake, "p", 9, lease_s=600, caller=Caller("d2"))
    assert again.task == late.task
    record_receipts(lake, [plain_receipt(spec(late))], caller=Caller("d"))
    assert status_of(lake, late) == "complete"
    record_receipts(lake, [plain_receipt(spec(again), ok=False)], caller=Caller("d2"))
    assert status_of(lake, late) == "complete"
    assert lake.table("results").scan().collect().height == 2


def test_a_result_of_a_deleted_task_is_kept(lake: Lake, claims: list[Claim]) -> None:
    set_tasks_status(lake, [claims[0].task], "deleted", caller=Caller("ana"))
    record_receipts(lake, [plain_receipt(spec(claims[0]))], caller=Caller("d"))
    assert status_of(lake, claims[0]) == "deleted"
    assert lake.table("results").scan().collect().height == 1


def test_attempts_without_claim_and_result_are_remembered(lake: Lake, claims: list[Claim]) -> None:
    assert unrecorded_attempts(lake) == {}
    end_claims(lake, {c.attempt: c.task for c in claims}, caller=Caller("d"), reason="lost")
    assert unrecorded_attempts(lake) == {c.attempt: c.scope for c in claims}
    record_receipts(lake, [plain_receipt(spec(claims[0]))], caller=Caller("d"))
    assert unrecorded_attempts(lake) == {claims[1].attempt: SCOPE}


def test_good_results_are_the_first_of_each_task(lake: Lake, claims: list[Claim]) -> None:
    record_receipts(
        lake, [plain_receipt(spec(claims[0])), plain_receipt(spec(claims[1]), ok=False)], caller=Caller("d")
    )
    path = f"{attempt_folder(SCOPE, claims[0].attempt)}/result.json.zst"
    assert good_results(lake, [c.task for c in claims]) == {claims[0].task: GoodResult(path, None, claims[0].attempt)}
    assert good_results(lake, []) == {}
