"""Workers with the documented bucket policy: they can do their work, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.execution import execute_assignment
from alchemiscale_lake.execution.release import read_release
from alchemiscale_lake.execution.start_markers import write_start_marker
from alchemiscale_lake.execution.stored_assignment import load_assignment, store_assignment
from alchemiscale_lake.store import Lake
from tests.bucket_policy import Policy
from tests.execution.bench import SCOPE, Bench, keeping
from tests.execution.scripted import scripted
from tests.s3 import Way

POLICY = Path(__file__).parents[2] / "deployments" / "bucket-policies" / "worker.json"


@pytest.fixture
def bench(bucket_lake: str, tmp_path: Path) -> Bench:
    return Bench(Lake.open(bucket_lake), tmp_path / "work")


def test_a_worker_needs_no_more_than_its_policy_allows(bench: Bench, way: Way) -> None:
    units = {"first": "(shared / 'kept.txt').write_text('x'); print('hello')", "second": "pass"}
    good, bad = bench.spec(scripted(units)), bench.spec(scripted("raise ValueError"))
    stored = store_assignment(bench.lake, bench.assignment(good, bad, files=keeping("*.txt"), cores=1))
    bench.lake.prepare_for_workers()
    way.policy = Policy.read(POLICY, bench.lake.url)
    lake = Lake.open(bench.lake.url)
    assignment = load_assignment(lake, stored)
    write_start_marker(lake, assignment)
    assert execute_assignment(assignment) == [good.attempt, bad.attempt]
    assert execute_assignment(assignment) == [good.attempt, bad.attempt], "what has left a receipt is not run again"
    assert read_release(lake, SCOPE, good.attempt) is None
    # there is no list of quarantined hosts: the client cannot distinguish missing from forbidden
    assert [r for r in way.refused if not r.endswith("?list-type=2&prefix=a/prefix/")] == []
    way.policy = None
    assert [bench.receipt(spec).result["ok"] for spec in (good, bad)] == [True, False]
    (file,) = bench.receipt(good).files
    assert bench.lake.objects.get(file["object_path"]) == b"x"


def test_a_worker_can_do_nothing_else(bench: Bench, way: Way) -> None:
    assert bench.lake.receipt_key
    stored = store_assignment(bench.lake, bench.assignment(bench.spec(scripted("pass"))))
    way.policy = Policy.read(POLICY, bench.lake.url)
    objects = Lake.open(bench.lake.url).objects
    refused = {
        "the key": lambda: objects.get("keys/receipts.json"),
        "another key": lambda: objects.put("keys/receipts.json", b""),
        "the list of assignments": lambda: objects.list("assignments"),
        "the list of all": lambda: objects.list(""),
        "another assignment": lambda: objects.put(f"assignments/{stored}.json", b""),
        "tables": lambda: objects.put("tables/results/x.parquet", b""),
        "log": lambda: objects.put_exclusive("tables/task_log/_delta_log/00000000000000000009.json", b""),
        "marker": lambda: objects.put("lake.json", b""),
        "quarantine": lambda: objects.put("quarantine.json", b"{}"),
        "receipts of others": lambda: objects.delete(["attempts/a-b-c/x/receipt.arrow"]),
        "results of others": lambda: objects.get("tables/results/_delta_log/00000000000000000000.json"),
    }
    for what, call in refused.items():
        before = len(way.refused)
        with pytest.raises(StorageError):
            call()
        assert len(way.refused) > before, f"a worker may touch {what}"
