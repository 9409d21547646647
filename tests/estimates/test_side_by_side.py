"""Networks side by side: common pairs only, joint intervals, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cinnabar.stats import bootstrap_statistic
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.errors import EstimationError, SettingsError
from alchemiscale_lake.estimates import side_by_side
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.estimates.side_by_side import SideBySide, common_pairs, compare_sources
from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.statistics.performance import assess, resample
from alchemiscale_lake.query import connect
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign
from tests.estimates.test_comparisons import store_network, store_round
from tests.lakes import new_lake

LIGANDS = [f"lig{i:02d}" for i in range(20)]
Found = dict[tuple[str, str], SideBySide]


def found_of_all(lake: Lake, networks: Sequence[str] = ("one", "two")) -> dict[str, Found]:
    rows = compare_sources(connect(lake), networks, n_bootstrap=400)
    return {one: {(r.quantity, r.statistic.name): r for r in rows if r.network == one} for one in networks}


def store(folder: Path, **errors: dict[str, float]) -> Lake:
    lake = new_lake(folder)
    for name, of_ligands in errors.items():
        store_network(lake, name)
        store_round(lake, name, 1, of_ligands)
    return lake


def test_a_network_differs_from_its_copy_by_nothing(tmp_path: Path) -> None:
    errors = dict(zip(LIGANDS, np.random.default_rng(1).normal(0, 1, 20), strict=True))

    found = found_of_all(store(tmp_path / "lake", one=errors, two=errors))

    for key, row in found["two"].items():
        if not math.isnan(row.statistic.value):
            assert row.statistic == found["one"][key].statistic
            assert row.difference is not None
            assert (row.difference.value, row.difference.low, row.difference.high) == (0.0, 0.0, 0.0)
    assert {row.difference for row in found["one"].values()} == {None}
    assert (found["one"]["dG", "RMSE"].n, found["two"]["ddG", "RMSE"].n) == (20, 19)


def test_joint_intervals_of_several_networks_whose_errors_are_multiples_of_one(tmp_path: Path) -> None:
    errors = np.random.default_rng(4).normal(0, 1, 20)
    scale = {"one": 1.0, "two": 2.0, "three": 3.5}
    lake = store(tmp_path / "lake", **{n: dict(zip(LIGANDS, by * errors, strict=True)) for n, by in scale.items()})

    found = found_of_all(lake, list(scale))

    own = found["one"]["dG", "RMSE"].statistic
    for name, by in list(scale.items())[1:]:
        difference = found[name]["dG", "RMSE"].difference
        assert difference is not None
        # each resample has RMSE of one times (1 - by), so the interval is that of one, mirrored and scaled
        expected = [(1 - by) * x for x in (own.value, own.high, own.low)]
        assert [difference.value, difference.low, difference.high] == pytest.approx(expected)


def test_a_shared_error_cancels_in_the_difference(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 2, 20)
    one = dict(zip(LIGANDS, shared + rng.normal(0, 0.1, 20), strict=True))
    two = dict(zip(LIGANDS, 1.2 * shared, strict=True))

    found = found_of_all(store(tmp_path / "lake", one=one, two=two))

    first, row = (found[name]["dG", "RMSE"] for name in ("one", "two"))
    difference = row.difference
    assert difference is not None
    assert difference.value == pytest.approx(first.statistic.value - row.statistic.value)
    assert difference.low < difference.value < difference.high < 0, "the second is surely worse"
    alone = assess(list(one.values()), np.zeros(20), relative=True)["RMSE"]
    assert difference.high - difference.low < 0.5 * (alone.high - alone.low)


@pytest.mark.parametrize("name", ["RMSE", "MUE"])
def test_each_network_has_the_statistics_of_cinnabar(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(5)
    errors = {n: dict(zip(LIGANDS, rng.normal(0, 1, 20), strict=True)) for n in ("one", "two", "three")}
    lake = store(tmp_path / "lake", **errors)

    found = found_of_all(lake, list(errors))

    for network, pairs in common_pairs(connect(lake), list(errors))[0].of.items():
        y, x = (pairs[c].to_numpy() for c in ("value_kcal_mol", "experiment_kcal_mol"))
        peer = bootstrap_statistic(x - x.mean(), y - y.mean(), statistic=name, nbootstrap=100)["mle"]
        assert found[network]["dG", name].statistic.value == pytest.approx(float(peer), abs=1e-12)


def test_only_what_all_have_is_compared_and_edges_in_either_direction(tmp_path: Path) -> None:
    lake = store(
        tmp_path / "lake",
        one={"a": 0.1, "b": -0.1, "c": 0.4, "d": 3.0},
        two={"a": 0.2, "b": -0.2, "c": 0.8},
        three={"a": 0.3, "b": -0.3, "c": 1.2, "e": 9.0},
    )

    found = found_of_all(lake, ("one", "two", "three"))

    assert (found["one"]["dG", "MUE"].n, found["one"]["ddG", "MUE"].n) == (3, 2)
    centred = np.array([0.1, -0.1, 0.4]) - np.mean([0.1, -0.1, 0.4])
    for by, name in enumerate(("one", "two", "three"), 1):
        assert found[name]["dG", "MUE"].statistic.value == pytest.approx(by * np.abs(centred).mean())


def test_a_part_of_one_network_is_shifted_in_all(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    for name in ("one", "two"):
        store_network(lake, name)
    errors = {"a": 0.0, "b": 0.5, "c": 9.0, "d": 9.5, "e": 4.0}
    store_round(lake, "one", 1, errors, component={"c": 1, "d": 1, "e": 2})
    store_round(lake, "two", 1, dict.fromkeys(errors, 0.0))

    found = found_of_all(lake)

    assert found["one"]["dG", "MUE"].n == 4, "e shares its zero with no other"
    values = [found[name]["dG", "MUE"].statistic.value for name in ("one", "two")]
    assert values == [pytest.approx(0.25), pytest.approx(0.0)]


def test_networks_without_common_ligands_are_refused(tmp_path: Path) -> None:
    lake = store(tmp_path / "lake", one={"a": 0.1, "b": 0.2}, two={"c": 0.1, "d": 0.2, "e": 0.0})

    with pytest.raises(EstimationError, match=r"no two ligands in common .*with both: 2 in one, 3 in two"):
        found_of_all(lake)


def test_networks_without_experiment_are_pointed_to_its_import(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    campaign = Campaign(lake)
    keys = [campaign.network(name, [("a", "b")]) for name in ("one", "two", "three")]
    for network in keys[:2]:
        for task in campaign.new_tasks(network, ["a_b_other"] * 2):
            campaign.result(task, 1.0, 0.1)
        gather_network(lake, network)

    with pytest.raises(EstimationError) as unmeasured:
        compare_sources(connect(lake), keys)

    assays = f"`alchemiscale-lake assays FILE --scope {SCOPE}`"
    steps = [*(f"{assays}, then `alchemiscale-lake gather {one}`" for one in keys[:2])]
    steps.append(f"`alchemiscale-lake gather {keys[2]}` (no estimate yet)")
    both = ", ".join(f"0 in {one}" for one in keys)
    assert str(unmeasured.value).endswith(f"(with both: {both}); to add what is missing: {'; '.join(steps)}")


def test_a_network_twice_or_alone_is_refused(tmp_path: Path) -> None:
    connection = connect(store(tmp_path / "lake", one={"a": 0.1, "b": 0.2}))

    with pytest.raises(SettingsError, match="one cannot be compared with itself"):
        compare_sources(connection, ["one", "two", "one"])
    with pytest.raises(SettingsError, match="at least two networks"):
        compare_sources(connection, ["one"])


VALUES = st.lists(st.floats(-10, 10), min_size=5, max_size=5)


@settings(deadline=None, max_examples=25)
@given(st.lists(VALUES, min_size=2, max_size=4), st.integers(0, 3), st.floats(-50, 50), st.randoms())
def test_neither_order_nor_zeros_matter(values: list[list[float]], moved: int, shift: float, random: object) -> None:
    networks = [f"n{k}" for k in range(len(values))]

    def frame(k: int, quantity: str) -> pl.DataFrame:
        own = np.array(values[k]) + (shift if k == moved else 0.0)
        experiment = np.arange(5.0)
        columns = {"network": networks[k], "kind": "binding", "component": 0, "absolute_results": False}
        if quantity == "dG":
            rows = pl.DataFrame({"ligand": LIGANDS[:5], "value_kcal_mol": own, "experiment_kcal_mol": experiment})
        else:
            ends = {"ligand_i": LIGANDS[:4], "ligand_j": LIGANDS[1:5]}
            numbers = {"value_kcal_mol": np.diff(own), "experiment_kcal_mol": np.diff(experiment)}
            rows = pl.DataFrame(ends | numbers)
        rows = rows.with_columns(**{name: pl.lit(value) for name, value in columns.items()})
        return rows.sample(fraction=1.0, shuffle=True, seed=random.randint(0, 9))  # type: ignore[attr-defined]

    def compared(order: list[str]) -> dict[tuple[str, str, str], SideBySide]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(side_by_side, "compared_pairs", lambda _, q, *, network, kind: frame(int(network[1:]), q))
            rows = compare_sources(None, order, n_bootstrap=20)  # type: ignore[arg-type]
        return {(row.network, row.quantity, row.statistic.name): row for row in rows}

    found, turned = compared(networks), compared(networks[::-1])

    for key, row in found.items():
        assert turned[key].statistic.value == pytest.approx(row.statistic.value, abs=1e-9, nan_ok=True)
    first, last = networks[0], networks[-1]
    there, back = (rows[name, "dG", "RMSE"].difference for rows, name in ((found, last), (turned, first)))
    assert there is not None
    assert back is not None
    assert there.value == pytest.approx(-back.value, abs=1e-9)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


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
