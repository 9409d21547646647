"""Closures of cycles: all independent ones, of edges that have an estimate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.estimates.cycle_closures import closure_share, cycle_closures
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import connect
from tests.campaign import Campaign


def test_every_independent_cycle_is_there_and_edges_without_results_are_not(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("two", [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "a"), ("d", "b")])
    values = {"a_b": 1.0, "b_c": 1.0, "c_a": -1.5, "c_d": 1.0, "d_a": -3.0}
    for key, value in values.items():
        campaign.result(campaign.new_tasks(network, [f"{key}_other"])[0], value, 0.1)
    gather_network(campaign.lake, network)

    closures = cycle_closures(connect(campaign.lake), network)

    assert closures.height == 2
    assert closures["kind"].unique().to_list() == ["direct"]
    triangle = next(row for row in closures.iter_rows(named=True) if set(row["cycle"]) == {"a", "b", "c"})
    assert abs(triangle["closure_kcal_mol"]) == pytest.approx(0.5)
    assert triangle["uncertainty_kcal_mol"] > 0


def test_a_tree_has_none(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("tree", [("a", "b")])
    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], 1.0, 0.1)
    gather_network(campaign.lake, network)

    assert cycle_closures(connect(campaign.lake), network).is_empty()


def test_the_expected_share_of_closures_reaches_beyond_what_was_seen() -> None:
    closures = pl.DataFrame({"closure_kcal_mol": [0.1, -0.3], "uncertainty_kcal_mol": [1.0, 2.0]})

    observed, sizes, expected = closure_share(closures)

    np.testing.assert_allclose(observed.size, [0.0, 0.1, 0.3])
    assert (sizes[0], sizes[-1]) == (0.0, 5.0)
    # the mean of two normal distributions
    assert np.interp(1.0, sizes, expected) == pytest.approx((0.6827 + 0.3829) / 2, abs=1e-3)

    wide, *_ = closure_share(closures.with_columns(pl.col("closure_kcal_mol") * 100))
    assert closure_share(closures.with_columns(pl.col("closure_kcal_mol") * 100))[1][-1] == pytest.approx(30.0)
    np.testing.assert_allclose(wide.share, observed.share)
