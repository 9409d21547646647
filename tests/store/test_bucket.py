"""The same lake in a bucket, on a local S3 server."""

from __future__ import annotations

import threading

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import NotALakeError, NotFoundError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.query import connect
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import read_network_chain, submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


def test_a_campaign_in_a_bucket(bucket: str) -> None:
    with pytest.raises(NotALakeError):
        Lake.open(bucket)
    lake = Lake.create(bucket)
    assert (lake.url, lake.local_path) == (bucket, None)
    chain = plain_chain([("a", "b"), ("b", "c"), ("a", "c")])
    network = submit_network(lake, chain, SCOPE).network
    assert submit_network(lake, chain, SCOPE).n_new_objects == 0
    assert {key for key, _ in read_network_chain(lake, network)} == {key for key, _ in chain}
    ensure_tasks(lake, network, 1, caller=Caller("ana"))
    claims = claim_tasks(lake, "p", 9, lease_s=60, caller=Caller("d"))
    assert len(claims) == 3
    for claim in claims:
        receipt = plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))
        assert leave_receipt(lake, receipt)
        assert not leave_receipt(lake, receipt), "a receipt is written once"
    found = find_receipts(lake, {c.attempt: c.scope for c in claims})
    record_receipts(lake, found, caller=Caller("d"))
    assert gather_network(lake, network).network == network
    again = Lake.open(bucket)
    again.task_log.fold()
    assert set(again.task_log.states().tasks["status"]) == {"complete"}
    rows = connect(again).execute("SELECT count(*) FROM results WHERE ok").fetchall()
    assert rows == [(3,)]


def test_concurrent_writers_claim_each_task_once(bucket: str) -> None:
    lake = Lake.create(bucket)
    network = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network
    ensure_tasks(lake, network, 6, caller=Caller("ana"))
    claimed: list[str] = []

    def claim() -> None:
        mine = Lake.open(bucket)
        while claims := claim_tasks(mine, "p", 2, lease_s=60, caller=Caller("d")):
            claimed.extend(c.task for c in claims)

    threads = [threading.Thread(target=claim) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 12


def test_objects_in_a_bucket(bucket: str) -> None:
    objects = Lake.create(bucket).objects
    objects.put("x/one", b"1")
    assert objects.get("x/one") == b"1"
    assert objects.list("x") == ["x/one"]
    assert objects.exists("x/one")
    assert not objects.exists("x/two")
    with pytest.raises(NotFoundError):
        objects.get("x/two")
    objects.delete(["x/one"])
    assert objects.list("x") == []
