from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.cost.model import prior_model
from alchemiscale_lake.estimators.cost.predict import CostPrediction, total
from alchemiscale_lake.estimators.cost.regressor import CostRegressor
from alchemiscale_lake.estimators.errors import EstimatorInputError
from tests.estimators.simulated_hours import simulated_lake


def _prediction(median: np.ndarray, shared_sd: float, own_sd: float, total_ratio: float = 1.0) -> CostPrediction:
    n = len(median)
    sd = np.full(n, np.hypot(shared_sd, own_sd))
    return CostPrediction(
        median=median,
        low=median * np.exp(-1.645 * sd),
        high=median * np.exp(1.645 * sd),
        sd_log=sd,
        extrapolates=np.zeros(n, dtype=bool),
        why=[""] * n,
        confidence=0.9,
        shared=np.full((n, 1), shared_sd),
        own_sd=np.full(n, own_sd),
        total_ratio=total_ratio,
        kinds=np.full(n, "other"),
    )


def test_one_row_is_its_own_total() -> None:
    prediction = _prediction(np.array([3.0]), 0.2, 0.1, total_ratio=1.5)

    np.testing.assert_allclose(
        total(prediction), [prediction.median[0], prediction.low[0], prediction.high[0]], rtol=1e-2
    )


def test_what_is_shared_stays_and_what_is_own_averages_away() -> None:
    many = np.ones(400)

    _, low, high = total(_prediction(many, 0.3, 0.0))
    _, own_low, own_high = total(_prediction(many, 0.0, 0.3))

    assert np.log(high / low) == pytest.approx(2 * 1.645 * 0.3, rel=0.01)
    assert np.log(own_high / own_low) == pytest.approx(2 * 1.645 * 0.3 / 20, rel=0.1)


def test_total_against_draws() -> None:
    rng = np.random.default_rng(0)
    median = np.exp(rng.normal(1, 1, 50))
    prediction = _prediction(median, 0.25, 0.3)
    counts = rng.integers(0, 4, 50).astype(float)

    drawn = np.exp(0.25 * rng.normal(size=(20_000, 1)) + 0.3 * rng.normal(size=(20_000, 50))) @ (counts * median)

    np.testing.assert_allclose(total(prediction, counts), np.quantile(drawn, [0.5, 0.05, 0.95]), rtol=0.02)


def test_sums_are_corrected_by_what_left_out_results_taught() -> None:
    many = np.ones(1_000)

    plain, corrected = total(_prediction(many, 0.1, 0.1)), total(_prediction(many, 0.1, 0.1, total_ratio=1.1))

    assert corrected[0] / plain[0] == pytest.approx(1.1, rel=1e-3)


def test_nothing_to_do_costs_nothing() -> None:
    assert total(_prediction(np.ones(3), 0.1, 0.1), np.zeros(3)) == (0.0, 0.0, 0.0)
    assert total(_prediction(np.ones(0), 0.1, 0.1)) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("counts", [[-1.0, 1.0], [1.0], [np.nan, 1.0]])
def test_counts_that_cannot_be_are_refused(counts: list[float]) -> None:
    with pytest.raises(EstimatorInputError, match="one per row"):
        total(_prediction(np.ones(2), 0.1, 0.1), np.array(counts))


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
    st.floats(1, 50),
)
def test_total_is_in_order_and_in_proportion(medians: list[float], shared: float, own: float, times: float) -> None:
    prediction = _prediction(np.array(medians), shared, own)

    once = np.array(total(prediction))
    more = np.array(total(prediction, np.full(len(medians), times)))

    assert 0 < once[1] < once[0] < once[2]
    np.testing.assert_allclose(more, times * once, rtol=1e-9)


def test_parts_of_the_error_add_up() -> None:
    lake = simulated_lake(0, n_rows=120, n_protocols=10, n_gpus=8, n_targets=40)

    prediction = CostRegressor().fit(lake.rows, lake.hours).predict_distribution(lake.rows)

    assert prediction.shared.shape[1] == 64
    np.testing.assert_allclose((prediction.shared**2).sum(axis=1) + prediction.own_sd**2, prediction.sd_log**2)


def test_no_rows_give_no_predictions() -> None:
    prediction = prior_model().predict_distribution({"n_atoms": np.zeros(0)})

    assert len(prediction.median) == 0
    assert prediction.why == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "Other"}, "no results of Protocol Other in the training data"),
        ({"gpu_model": "Tesla T4"}, "no results of GPU model T4 in the training data"),
        ({"n_atoms": 1e6}, "1,000,000 atoms, training data 20,000 to 80,000"),
        ({"simulated_ns": 60.0}, "steps, training data"),
        ({"n_atoms": np.nan}, "atoms unknown"),
        ({"simulated_ns": np.nan}, "steps unknown"),
        ({"packing": 4.0}, "4 side by side, training data 1 to 1"),
    ],
)
def test_extrapolation_is_said_and_widens(change: dict[str, object], said: str) -> None:
    rows = {
        "n_atoms": np.linspace(2e4, 8e4, 40),
        "simulated_ns": np.full(40, 6.0),
        "protocol": np.full(40, "P"),
        "gpu_model": np.full(40, "L40S"),
    }
    model = CostRegressor().fit(
        rows, prior_model().predict_distribution(rows).median * np.exp(0.05 * np.sin(np.arange(40)))
    )
    usual = {name: values[20:21] for name, values in rows.items()}

    inside = model.predict_distribution(usual)
    outside = model.predict_distribution({**usual, **{name: np.array([value]) for name, value in change.items()}})

    assert not inside.extrapolates[0]
    assert inside.why == [""]
    assert outside.extrapolates[0]
    assert said in outside.why[0]
    assert outside.sd_log[0] > 1.2 * inside.sd_log[0]


def _sized_legs(factor: np.ndarray, campaign: np.ndarray, *, n_atoms: float = np.nan) -> dict[str, np.ndarray]:
    n = len(factor)
    return {
        "n_solute_atoms": 5_000.0 + np.arange(n),
        "n_atoms": np.full(n, n_atoms),
        "simulated_ns": np.full(n, 6.0),
        "n_windows": np.full(n, 11.0),
        "is_complex": np.ones(n),
        "protocol": np.full(n, "Hybrid"),
        "gpu_model": np.full(n, "L40S"),
        "group": np.repeat([f"target{k}" for k in range(n // 2)], 2),
        "campaign": campaign,
    }


def test_an_estimated_box_widens_new_targets_only() -> None:
    off = np.repeat(np.random.default_rng(0).normal(0, 0.3, 30), 2)
    rows = _sized_legs(off, np.full(60, "one"))
    model = CostRegressor().fit(rows, 5.0 * np.exp(off + 0.02 * np.sin(np.arange(60))))
    one = {name: values[:1] for name, values in rows.items()}
    new = {**one, "group": np.array(["elsewhere"])}

    seen, unseen = model.predict_distribution(one), model.predict_distribution(new)

    assert seen.median[0] == pytest.approx(5.0 * np.exp(off[0]), rel=0.1)
    assert unseen.sd_log[0] > 3 * seen.sd_log[0]
    # what a target's box adds to the interval is not expected of targets whose boxes are known
    assert model.posterior_.spread["group box"] > 1.5 * model.posterior_.spread["group complex"]


def test_calibration_within_campaigns_does_not_narrow_what_another_campaign_adds() -> None:
    off = np.zeros(60)
    rows = _sized_legs(off, np.resize(["one", "two", "three"], 60), n_atoms=60_000.0)
    model = CostRegressor().fit(rows, 5.0 * np.exp(0.05 * np.sin(7.0 * np.arange(60))))
    one = {name: values[:1] for name, values in rows.items()}
    there = {**one, "campaign": np.array(["elsewhere"])}
    added = []
    for scale in (0.2, 1.0):
        model.card_ = replace(model.card_, interval_scale=scale, interval_scales={})
        here, elsewhere = model.predict_distribution(one), model.predict_distribution(there)
        added.append(elsewhere.sd_log[0] ** 2 - here.sd_log[0] ** 2)

    assert added[0] > 0.5 * added[1] > 0
