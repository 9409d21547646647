"""Repeats within one result count as replicates: from the worker's receipt to the estimate of the leg."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import ReceiptError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.sound_receipt import sound_receipt
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report.tables import raw_table
from alchemiscale_lake.schemas.receipt import Receipt, pack_receipt, unpack_receipt
from alchemiscale_lake.statestore.result_recording import record_receipts
from tests.campaign import SCOPE, Campaign
from tests.plain import plain_receipt

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
