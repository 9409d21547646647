"""A complete Task whose results are lost does not stay complete: it ends in error and can run again."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_ends import end_lost
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, attempt_folder
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


@pytest.fixture
def done(lake: Lake) -> list[AttemptSpec]:
    """Return two complete Tasks."""
    network = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE, caller=Caller("ana")).network
    ensure_tasks(lake, network, 1, caller=Caller("ana"))
    specs = []
    for claim in claim_tasks(lake, "p", 2, lease_s=600, caller=Caller("d")):
        spec = AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)
        leave_receipt(lake, plain_receipt(spec))
        record_receipts(lake, find_receipts(lake, {spec.attempt: spec.scope}), caller=Caller("d"))
        specs.append(spec)
    return specs


def lose_rows(lake: Lake, table: str = "results") -> None:
    """Remove the data files of a table, an hour after the last write."""
    assert lake.local_path is not None
    for path in lake.local_path.glob(f"tables/{table}/**/part-*.parquet"):
        path.unlink()
    then = time.time() - 3600
    for path in lake.local_path.glob("tables/*/_delta_log/*"):
        os.utime(path, (then, then))


def statuses(lake: Lake) -> dict[str, str]:
    return dict(Lake.open(lake.url).task_log.states().tasks.select("task", "status").iter_rows())


def repair(place: Path | str) -> str:
    ran = CliRunner().invoke(main, ["maintain", "--repair", "--lake", str(place)])
    assert ran.exit_code == 0, ran.output
    return str(ran.stderr)


def test_a_lost_result_is_recorded_again_from_its_receipt(lake: Lake, done: list[AttemptSpec]) -> None:
    lose_rows(lake)
    assert "2 results recorded from receipts" in repair(lake.url)
    assert statuses(lake) == {spec.task: "complete" for spec in done}


@pytest.mark.parametrize("table", ["unit_results", "hosts"])
def test_other_rows_of_recorded_results_are_recorded_again(lake: Lake, done: list[AttemptSpec], table: str) -> None:
    before = lake.table(table).scan().collect()
    lose_rows(lake, table)
    assert f"read again for rows lost from {table}" in repair(lake.url)
    after = Lake.open(lake.url).table(table).scan().collect()
    assert_frame_equal(after, before, check_row_order=False)
    assert len(before) > 0


@pytest.mark.parametrize("how", ["changed", "deleted"])
def test_a_task_whose_receipt_does_not_count_is_in_error(lake: Lake, done: list[AttemptSpec], how: str) -> None:
    bad, good = done
    receipt = f"{attempt_folder(bad.scope, bad.attempt)}/receipt.arrow"
    if how == "changed":
        data = lake.objects.get(receipt)
        lake.objects.put(receipt, data[:-20] + b"x" * 20)
    else:
        lake.objects.delete([receipt])
    lose_rows(lake)
    said = repair(lake.url)
    assert f"1 complete Task lost all results; status is now error:\n  {bad.task}" in said
    assert "tasks retry" in said
    if how == "changed":
        assert "of them, 1 failed or had invalid receipts: see `alchemiscale-lake failures --all --lake " in said
    assert statuses(lake) == {bad.task: "error", good.task: "complete"}
    assert repair(lake.url).count("lost all results") == 0
    ran = CliRunner().invoke(main, ["tasks", "set-status", "waiting", "--status", "error", "--lake", lake.url])
    assert ran.exit_code == 0, ran.output
    assert [claim.task for claim in claim_tasks(lake, "p", 2, lease_s=600, caller=Caller("d"))] == [bad.task]


def test_a_sound_lake_has_no_lost_results(lake: Lake, done: list[AttemptSpec]) -> None:
    assert end_lost(lake, caller=Caller("ana")) == []
    assert set(statuses(lake).values()) == {"complete"}


def test_a_dry_run_changes_nothing(lake: Lake, done: list[AttemptSpec]) -> None:
    lose_rows(lake)
    ran = CliRunner().invoke(main, ["maintain", "--repair", "--dry-run", "--lake", lake.url])
    assert ran.exit_code == 1, ran.output
    assert "a missing file" in ran.stderr


def test_a_dry_run_reports_what_is_wrong_with_the_marker(lake: Lake) -> None:
    lake.objects.put("lake.json", b"")
    ran = CliRunner().invoke(main, ["maintain", "--repair", "--dry-run", "--lake", lake.url])
    assert (ran.exit_code, ran.stderr) == (1, "lake.json is damaged; it would be rewritten\n")
    assert "lake.json is damaged; it has been rewritten" in repair(lake.url)
    assert json.loads(lake.objects.get("lake.json"))["format"]
