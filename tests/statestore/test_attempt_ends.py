"""Attempts that end without a result leave what is known about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.execution.receipt import UNFINISHED
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.schemas.receipt import Receipt, pack_receipt
from alchemiscale_lake.statestore.attempt_ends import record_attempt_ends
from alchemiscale_lake.statestore.claims import Claim, change_claims, claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.task_attempts import find_task, task_attempts, tasks_progress
from alchemiscale_lake.store import Lake, attempt_folder
from tests.campaign import SCOPE, Campaign, hours
from tests.plain import plain_receipt

CALLER = Caller("d")


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    made = Campaign.at(tmp_path / "lake")
    made.new_tasks(made.network("tyk2", [("a", "b")]), ["a_b_other"])
    return made


def claim(campaign: Campaign) -> Claim:
    (made,) = claim_tasks(campaign.lake, "gpu", 1, lease_s=60, caller=CALLER)
    return made


def release(campaign: Campaign, held: Claim, reason: str) -> None:
    record_attempt_ends(campaign.lake, [(held, reason)])
    change_claims(campaign.lake, release={held.attempt: (held.task, reason)}, caller=CALLER)


def spec_of(held: Claim) -> AttemptSpec:
    return AttemptSpec(held.attempt, held.task, held.transformation, held.scope)


def leave_unfinished(lake: Lake, held: Claim, *, secret: str | None = None) -> Receipt:
    receipt = plain_receipt(spec_of(held), ok=False, exception="stopped", hostname="gpu-17", started_at=hours(2))
    receipt = replace(receipt, files=[], result={**receipt.result, "units_total": 3, "queue_job": "77"})
    data = pack_receipt(receipt, secret or lake.receipt_key.secret_of(held.attempt))
    lake.objects.put(f"{attempt_folder(held.scope, held.attempt)}/{UNFINISHED}", data)
    return receipt


def test_an_attempt_that_was_stopped_keeps_units_host_and_progress(campaign: Campaign) -> None:
    held = claim(campaign)
    receipt = leave_unfinished(campaign.lake, held)

    release(campaign, held, "walltime: the job ends (gpu-17)")
    record_attempt_ends(campaign.lake, [(held, "walltime: the job ends (gpu-17)")])

    (row,) = task_attempts(campaign.lake, [held.task]).iter_rows(named=True)
    assert (row["outcome"], row["hostname"], row["queue_job"]) == ("released", "gpu-17", "77")
    assert (row["units_done"], row["units_total"], row["started_at"]) == (0, 3, hours(2))
    assert (row["reason"], row["dispatcher"], row["pool"]) == ("walltime: the job ends (gpu-17)", "d", "gpu")
    units = campaign.lake.table("unit_results").scan().collect()
    assert units.select("attempt", "unit").rows() == [(held.attempt, receipt.units[0]["unit"])]
    assert campaign.lake.table("results").scan().collect().is_empty()
    assert find_receipts(campaign.lake, {held.attempt: SCOPE}) == []


def test_what_another_process_wrote_is_ignored(campaign: Campaign) -> None:
    # attempts that were claimed before there was a key need no signature
    campaign.lake.receipt_key.secret_of("any")
    held = claim(campaign)
    leave_unfinished(campaign.lake, held, secret="forged")

    assert record_attempt_ends(campaign.lake, [(held, "stopped: x")]) == 0
    assert campaign.lake.table("unit_results").scan().collect().is_empty()


def test_a_lost_attempt_is_known_by_its_heartbeat(campaign: Campaign) -> None:
    held = claim(campaign)
    leave_beat(campaign.lake, spec_of(held), Beat(hours(5), hours(4), hours(5), "node3", "12.pbs", 2, 7))
    assert tasks_progress(campaign.lake, [held.task]) == [(2, 7)]
    (running,) = task_attempts(campaign.lake, [held.task]).iter_rows(named=True)
    assert (running["outcome"], running["hostname"], running["ended_at"]) == ("running", "node3", None)
    assert (running["last_heartbeat_at"], running["units_done"]) == (hours(5), 2)

    release(campaign, held, "lost: its worker or job ended without a report")

    (row,) = ask(connect(campaign.lake), "attempts", task=held.task).iter_rows(named=True)
    assert (row["outcome"], row["hostname"], row["queue_job"]) == ("released", "node3", "12.pbs")
    assert (row["started_at"], row["ended_at"]) == (hours(4), hours(5))
    assert (row["units_done"], row["units_total"]) == (2, 7)
    assert tasks_progress(campaign.lake, [held.task]) == [(2, 7)]


def test_a_refusal_names_its_host_and_attempts_are_numbered(campaign: Campaign) -> None:
    first = claim(campaign)
    release(campaign, first, "refused: the job ends in 3 s (node1)")
    second = claim(campaign)

    rows = task_attempts(campaign.lake, [first.task]).select("attempt", "attempt_number", "outcome", "hostname")

    assert rows.rows() == [(first.attempt, 1, "released", "node1"), (second.attempt, 2, "running", None)]
    assert campaign.lake.table("attempt_ends").scan().collect().is_empty()
    assert find_task(campaign.lake, first.attempt) == (first.task, first.attempt)
    assert find_task(campaign.lake, "a_b_other-r0") == find_task(campaign.lake, first.task[:9]) == (first.task, None)
