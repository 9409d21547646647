"""Repeats within one result count as replicates: from the worker's receipt to the estimate of the leg."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gufe
import polars as pl
import pytest
import zstandard

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import ReceiptError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.processes import close_step_server
from alchemiscale_lake.execution.sound_receipt import sound_receipt
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.networks import read_result
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report.tables import raw_table
from alchemiscale_lake.schemas.receipt import Receipt, pack_receipt, unpack_receipt
from alchemiscale_lake.statestore.new_tasks import create_tasks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign
from tests.example_networks import harmonic_system
from tests.execution.bench import Bench
from tests.gufe_adapter.absolute import AbsoluteSolvationProtocol
from tests.lakes import new_lake
from tests.plain import plain_receipt

#: Columns with numbers.
COMPARED = {
    "results": ["estimate_kcal_mol", "uncertainty_kcal_mol"],
    "replicates": ["replicate", "value_kcal_mol", "uncertainty_kcal_mol"],
    "transformation_estimates": ["values_kcal_mol", "value_kcal_mol", "uncertainty_kcal_mol", "sd_kcal_mol", "rule"],
}
REPEATS = ((1.0, 0.1), (1.4, 0.1), (1.3, None))


def with_repeats(receipt: Receipt, repeats: tuple[tuple[Any, Any], ...] = REPEATS) -> Receipt:
    rows = [
        {
            "scope": receipt.result["scope"],
            "attempt": receipt.attempt,
            "replicate": k,
            "value_kcal_mol": value,
            "uncertainty_kcal_mol": uncertainty,
        }
        for k, (value, uncertainty) in enumerate(repeats)
    ]
    return replace(receipt, replicates=rows)


def receipt_of(campaign: Campaign, task: str, attempt: str = "a" * 32) -> Receipt:
    transformation = campaign.tasks[task].transformation
    return plain_receipt(AttemptSpec(attempt, task, transformation, SCOPE), estimate=statistics.fmean((1.0, 1.4, 1.3)))


def test_a_result_of_three_repeats_weighs_like_three_results(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("one", [("a", "b")])
    (task,) = campaign.new_tasks(network, ["a_b_other"])

    record_receipts(campaign.lake, [with_repeats(receipt_of(campaign, task))], caller=Caller("test"))
    gather_network(campaign.lake, network)

    (estimate,) = ask(connect(campaign.lake), "current_transformation_estimates").to_dicts()
    values = [value for value, _ in REPEATS]
    assert estimate["n_results"] == 1
    assert estimate["values_kcal_mol"] == values
    assert estimate["own_uncertainties_kcal_mol"] == [0.1, 0.1, None]
    assert estimate["attempts"] == ["a" * 32] * 3
    assert estimate["value_kcal_mol"] == pytest.approx(statistics.fmean(values))
    assert estimate["sd_kcal_mol"] == pytest.approx(statistics.stdev(values))
    assert estimate["uncertainty_kcal_mol"] == pytest.approx(statistics.stdev(values) / math.sqrt(3))
    assert estimate["note"] is None


def test_the_raw_report_has_a_row_per_repeat(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("one", [("a", "b")])
    one, other = campaign.new_tasks(network, ["a_b_other"] * 2)
    campaign.result(one, 1.1, 0.2)
    record_receipts(campaign.lake, [with_repeats(receipt_of(campaign, other))], caller=Caller("test"))

    rows = raw_table(connect(campaign.lake), network).table.rows

    assert sorted(tuple(row[-2:]) for row in rows) == [(1.0, 0.1), (1.1, 0.2), (1.3, None), (1.4, 0.1)]


def test_recording_a_receipt_again_adds_no_replicate(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("one", [("a", "b")])
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    receipt = with_repeats(receipt_of(campaign, task))

    for _ in range(2):
        record_receipts(campaign.lake, [receipt], caller=Caller("test"))

    assert campaign.lake.table("replicates").scan().select(pl.len()).collect().item() == 3


def test_replicates_travel_in_the_receipt_and_older_workers_leave_none() -> None:
    spec = AttemptSpec("a" * 32, f"Task-1-{SCOPE}", f"Transformation-1-{SCOPE}", SCOPE)
    receipt = with_repeats(plain_receipt(spec))

    assert [dict(row) for row in unpack_receipt(pack_receipt(receipt, None)).replicates] == receipt.replicates
    assert unpack_receipt(pack_receipt(replace(receipt, replicates=()), None)).replicates == []


@pytest.mark.parametrize("bad", [(math.nan, 0.1), (1.0, -0.1), ("one", 0.1), (1.0, math.inf)])
def test_a_bad_replicate_fails_its_result_with_the_reason(bad: tuple[Any, Any]) -> None:
    spec = AttemptSpec("a" * 32, f"Task-1-{SCOPE}", f"Transformation-1-{SCOPE}", SCOPE)
    receipt = with_repeats(plain_receipt(spec), ((1.0, 0.1), bad))
    with pytest.raises(ReceiptError):
        pack_receipt(receipt, None)

    sound = sound_receipt(receipt)

    assert not sound.result["ok"]
    assert "does not match the tables" in sound.result["exception"]
    assert list(sound.replicates) == []
    pack_receipt(sound, None)


@pytest.fixture
def fork_server() -> Iterator[None]:
    yield
    close_step_server()


def test_legs_repeated_independently_give_the_same_rows_whether_run_or_imported(
    tmp_path: Path, fork_server: None
) -> None:
    transformation = gufe.Transformation(
        harmonic_system("a"), harmonic_system("b"), AbsoluteSolvationProtocol.make(), name="a"
    )
    network = gufe.AlchemicalNetwork([transformation], name="one")
    run, imported = (new_lake(tmp_path / name) for name in ("run", "imported"))
    submitted = [submit_network(lake, network, SCOPE).network for lake in (run, imported)]
    bench = Bench(run, tmp_path / "work")
    (task,) = create_tasks(run, [f"{transformation.key}-{SCOPE}"], caller=Caller("test"))
    receipt = bench.run(AttemptSpec("a" * 32, task, f"{transformation.key}-{SCOPE}", SCOPE))
    record_receipts(run, [receipt], caller=Caller("test"))
    file = tmp_path / "result.json.zst"
    file.write_bytes(zstandard.compress(read_result(run, receipt.result["object_path"])))
    import_results(imported, [file], SCOPE)
    for lake, key in zip((run, imported), submitted, strict=True):
        gather_network(lake, key)

    results, replicates, estimates = (
        [_numbers(lake, table, columns) for lake in (run, imported)] for table, columns in COMPARED.items()
    )

    assert results[0] == results[1] == [(pytest.approx(5.2 - 23.8 / 3), pytest.approx(math.sqrt(0.07 + 0.13 / 3)))]
    assert replicates[0] == replicates[1]
    assert estimates[0] == estimates[1]


def _numbers(lake: Lake, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    rows = lake.table(table).scan().select(columns).collect()
    return (rows.sort("replicate") if "replicate" in columns else rows).rows()
