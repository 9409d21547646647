from __future__ import annotations

import math

import numpy as np
import pytest
from cinnabar.stats import bootstrap_statistic
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from estimators.errors import EstimatorInputError
from estimators.performance import STATISTICS, assess


def sample(n: int = 40, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    experiment = rng.normal(-9.0, 1.5, n)
    return experiment + rng.normal(0.5, 1.0, n), experiment


def test_by_hand() -> None:
    performance = assess([1.0, 2.0, 6.0], [1.0, 3.0, 4.0], relative=False)

    assert performance.n == 3
    assert performance["RMSE"].value == pytest.approx(math.sqrt(5 / 3))
    assert performance["MUE"].value == pytest.approx(1.0)
    assert performance["kendall_tau"].value == 1.0
    assert performance["spearman_rho"].value == pytest.approx(1.0)


def test_relative_forgets_a_shift_and_absolute_does_not() -> None:
    experiment = np.array([-10.0, -9.0, -7.0, -8.5])

    relative = assess(experiment + 3.0, experiment, relative=True)
    absolute = assess(experiment + 3.0, experiment, relative=False)

    assert relative["RMSE"].value == pytest.approx(0.0, abs=1e-14)
    assert absolute["RMSE"].value == pytest.approx(3.0)
    assert absolute["MUE"].value == pytest.approx(3.0)


@pytest.mark.parametrize("seed", range(5))
def test_values_are_scipys(seed: int) -> None:
    y, x = sample(seed=seed)
    y, x = y.round(0), x.round(0)  # ties

    performance = assess(y, x, relative=False, n_bootstrap=10)

    assert performance["pearson_r"].value == pytest.approx(stats.pearsonr(x, y)[0])
    assert performance["R2"].value == pytest.approx(stats.pearsonr(x, y)[0] ** 2)
    assert performance["spearman_rho"].value == pytest.approx(stats.spearmanr(x, y)[0])
    assert performance["kendall_tau"].value == pytest.approx(stats.kendalltau(x, y)[0])


@pytest.mark.parametrize(("name", "theirs"), [("RMSE", "RMSE"), ("MUE", "MUE"), ("R2", "R2"), ("kendall_tau", "KTAU")])
def test_intervals_are_cinnabars(name: str, theirs: str) -> None:
    y, x = sample()
    y, x = y - y.mean(), x - x.mean()
    np.random.seed(0)

    reference = bootstrap_statistic(x, y, statistic=theirs, nbootstrap=500)
    ours = assess(y, x, relative=True, n_bootstrap=4000)[name]

    assert ours.value == pytest.approx(reference["mle"])
    width = reference["high"] - reference["low"]
    assert ours.low == pytest.approx(reference["low"], abs=0.15 * width)
    assert ours.high == pytest.approx(reference["high"], abs=0.15 * width)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        error = rng.normal(0.0, 1.0, 60)
        interval = assess(error, np.zeros(60), relative=False, n_bootstrap=300)["MUE"]
        covered += interval.low <= math.sqrt(2 / math.pi) <= interval.high

    # 95% of 200 is 190 +- 3.1; percentile intervals of 60 pairs run slightly narrow.
    assert 178 <= covered <= 199


def test_the_same_seed_gives_the_same_interval() -> None:
    y, x = sample()

    assert assess(y, x, relative=True) == assess(y, x, relative=True)
    assert assess(y, x, relative=True) != assess(y, x, relative=True, seed=1)


def test_confidence_widens() -> None:
    y, x = sample()

    narrow, wide = assess(y, x, relative=True, confidence=0.5), assess(y, x, relative=True, confidence=0.99)

    for name in STATISTICS:
        assert wide[name].low < narrow[name].low < narrow[name].value < narrow[name].high < wide[name].high


def test_pairs_without_both_sides_are_left_out() -> None:
    performance = assess([1.0, np.nan, 3.0], [1.5, 2.0, np.nan], relative=False)

    assert performance.n == 1
    assert performance["MUE"].value == 0.5
    assert math.isnan(performance["R2"].value)
    assert math.isnan(performance["kendall_tau"].low)


def test_constant_values_have_no_correlation() -> None:
    performance = assess([0.1, 0.1, 0.1], [1.0, 2.0, 3.0], relative=False)

    assert math.isnan(performance["pearson_r"].value)
    assert math.isnan(performance["spearman_rho"].value)
    assert math.isnan(performance["kendall_tau"].value)


@pytest.mark.parametrize(("y", "x", "match"), [([], [], "none of 0"), ([1.0], [1.0, 2.0], "give pairs")])
def test_unusable_pairs_are_refused(y: list[float], x: list[float], match: str) -> None:
    with pytest.raises(EstimatorInputError, match=match):
        assess(y, x, relative=True)


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="RAE"):
        assess([1.0], [1.0], relative=True)["RAE"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=2, max_size=15))
def test_bounds_hold_for_any_pairs(pairs: list[tuple[float, float]]) -> None:
    y, x = np.array(pairs).T

    performance = assess(y, x, relative=True, n_bootstrap=20)

    assert performance["MUE"].value <= performance["RMSE"].value * (1 + 1e-12) + 1e-150  # squares underflow
    for name in ("pearson_r", "spearman_rho", "kendall_tau"):
        assert not abs(performance[name].value) > 1 + 1e-9
