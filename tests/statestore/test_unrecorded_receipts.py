"""Receipts count whatever the task log contains about their attempts."""

from __future__ import annotations

import os
import time

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import Claim, claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.statestore.unrecorded_receipts import forgotten_receipts, record_forgotten
from alchemiscale_lake.store import Lake, repair
from alchemiscale_lake.store.log_entry import entry_name
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


def claimed(lake: Lake, n: int) -> list[Claim]:
    network = submit_network(lake, plain_chain([("a", "b")]), SCOPE).network
    ensure_tasks(lake, network, n, caller=Caller("t"))
    return claim_tasks(lake, "here", n, lease_s=3600, caller=Caller("t"))


def leave(lake: Lake, claim: Claim) -> None:
    leave_receipt(lake, plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)))


@pytest.mark.parametrize("place", ["folder", "bucket"], indirect=True)
def test_receipts_are_found_by_their_folders(place: str) -> None:
    lake = Lake.open(place)
    recorded, held, none = claimed(lake, 3)
    assert forgotten_receipts(lake) == {}
    leave(lake, recorded)
    leave(lake, held)
    record_receipts(lake, find_receipts(lake, {recorded.attempt: SCOPE}), caller=Caller("t"))
    lake.objects.put(f"attempts/{SCOPE}/{none.attempt}/stop", b"{}")
    assert forgotten_receipts(lake) == {}, "held ones are their dispatcher's"


def test_a_claim_that_the_log_has_lost_does_not_lose_its_result(lake: Lake) -> None:
    (claim,) = claimed(lake, 1)
    leave(lake, claim)
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    last = max(log.glob("0*.json"))
    last.write_bytes(b"")
    then = time.time() - 3600
    for path in lake.local_path.glob("tables/*/_delta_log/*"):
        os.utime(path, (then, then))
    (loss,) = repair(lake, tell=lambda _: None).losses
    assert loss.damage.path == f"_delta_log/{entry_name(int(last.stem))}"
    lake = Lake.open(lake.url)
    assert lake.task_log.states().of([claim.task])[claim.task].status == "waiting"

    assert forgotten_receipts(lake) == {claim.attempt: SCOPE}
    (recorded,) = record_forgotten(lake, forgotten_receipts(lake), caller=Caller("t"))

    assert recorded.new
    assert lake.task_log.states().of([claim.task])[claim.task].status == "complete"
    assert forgotten_receipts(lake) == {}
