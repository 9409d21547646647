"""Two networks side by side: common pairs only, joint intervals, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.estimates.side_by_side import SideBySide, compare_sources
from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.statistics.performance import assess, resample
from alchemiscale_lake.query import connect
from alchemiscale_lake.store import Lake
from tests.estimates.test_comparisons import store_network, store_round
from tests.lakes import new_lake

LIGANDS = [f"lig{i:02d}" for i in range(20)]


def found(lake: Lake, **options: object) -> dict[tuple[str, str], SideBySide]:
    rows = compare_sources(connect(lake), "one", "two", n_bootstrap=400, **options)  # type: ignore[arg-type]
    return {(row.quantity, row.statistic): row for row in rows}


def two_networks(folder: Path, one: dict[str, float], two: dict[str, float]) -> Lake:
    lake = new_lake(folder)
    for name, errors in (("one", one), ("two", two)):
        store_network(lake, name)
        store_round(lake, name, 1, errors)
    return lake


def test_a_network_differs_from_itself_by_nothing(tmp_path: Path) -> None:
    errors = dict(zip(LIGANDS, np.random.default_rng(1).normal(0, 1, 20), strict=True))

    rows = found(two_networks(tmp_path / "lake", errors, errors))

    for row in (row for row in rows.values() if not math.isnan(row.value)):
        assert row.value == row.other
        assert (row.difference.value, row.difference.low, row.difference.high) == (0.0, 0.0, 0.0)
    assert rows["dG", "RMSE"].n == 20
    assert rows["ddG", "RMSE"].n == 19


def test_a_shared_error_cancels_in_the_difference(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 2, 20)
    one = dict(zip(LIGANDS, shared + rng.normal(0, 0.1, 20), strict=True))
    two = dict(zip(LIGANDS, 1.2 * shared, strict=True))

    row = found(two_networks(tmp_path / "lake", one, two))["dG", "RMSE"]

    assert row.difference.value == pytest.approx(row.value - row.other)
    assert row.difference.low < row.difference.value < row.difference.high < 0, "the second is surely worse"
    alone = assess(list(one.values()), np.zeros(20), relative=True)["RMSE"]
    assert row.difference.high - row.difference.low < 0.5 * (alone.high - alone.low)


def test_only_what_both_have_is_compared_and_edges_in_either_direction(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    for name in ("one", "two"):
        store_network(lake, name)
    store_round(lake, "one", 1, {"a": 0.1, "b": -0.1, "c": 0.4, "d": 3.0})
    store_round(lake, "two", 1, {"a": 0.2, "b": -0.2, "c": 0.8})

    rows = found(lake)

    assert (rows["dG", "MUE"].n, rows["ddG", "MUE"].n) == (3, 2)
    centred = np.array([0.1, -0.1, 0.4]) - np.mean([0.1, -0.1, 0.4])
    assert rows["dG", "MUE"].value == pytest.approx(np.abs(centred).mean())
    assert rows["dG", "MUE"].other == pytest.approx(2 * np.abs(centred).mean())


def test_a_part_of_one_network_is_shifted_in_both(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    for name in ("one", "two"):
        store_network(lake, name)
    errors = {"a": 0.0, "b": 0.5, "c": 9.0, "d": 9.5, "e": 4.0}
    store_round(lake, "one", 1, errors, component={"c": 1, "d": 1, "e": 2})
    store_round(lake, "two", 1, dict.fromkeys(errors, 0.0))

    row = found(lake)["dG", "MUE"]

    assert row.n == 4, "e shares its zero with no other"
    assert (row.value, row.other) == (pytest.approx(0.25), pytest.approx(0.0))


def test_networks_without_common_ligands_are_refused(tmp_path: Path) -> None:
    lake = two_networks(tmp_path / "lake", {"a": 0.1, "b": 0.2}, {"c": 0.1, "d": 0.2})

    with pytest.raises(EstimationError, match="no two ligands in common"):
        found(lake)


def test_resamples_of_other_pairs_have_no_difference() -> None:
    x = np.arange(5.0)
    one, two = resample(x, x + 1, relative=True), resample(x[:4], x[:4] + 1, relative=True)

    with pytest.raises(EstimatorInputError, match="not resampled jointly"):
        one.minus(two)


def test_two_pairs_have_no_interval() -> None:
    one, two = (resample([0.0, error], [0.0, 1.0], relative=True) for error in (1.5, 3.0))

    rmse = one.minus(two)[0]

    assert rmse.value < 0
    assert math.isnan(rmse.low)
