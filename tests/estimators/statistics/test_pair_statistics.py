"""Statistics of pairs by hand, and of resamples given as counts or as values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.estimators.statistics import pair_statistics
from alchemiscale_lake.estimators.statistics.pair_statistics import LIGANDS_ONLY, ORDERS, STATISTICS, count_picks
from tests.long import share

#: Estimates and experiments of five ligands.
Y, X = np.array([1.0, 2.0, 2.0, 5.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0, 4.0])


def of(name: str, y: np.ndarray, x: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    return STATISTICS[name](y, x, np.ones((1, np.shape(y)[-1])) if counts is None else counts)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RMSE", math.sqrt(2 / 5)),
        ("MUE", 2 / 5),
        # sums of products of the deviations from 2.8 and 2.8: 7.8, 10.8 and 6.8
        ("pearson_r", 7.8 / math.sqrt(10.8 * 6.8)),
        ("R2", 7.8**2 / (10.8 * 6.8)),
        # ranks 1, 2.5, 2.5, 5, 4 and 1, 3, 2, 4.5, 4.5
        ("spearman_rho", 9.0 / 9.5),
        # 8 pairs of one order, none of the other; one tie on either side
        ("kendall_tau", 8 / 9),
        ("NRMSE", math.sqrt(2 / 5) / 2.8),
        ("RAE", 0.4 / 1.04),
        # experimental differences of all pairs: 2 + 1 + 3 + 3 + 1 + 1 + 1 + 2 + 2 + 0, of which 1 is a tie by estimate
        ("predictive_index", 15 / 16),
        # of the best one and two: one is shared, two are shared
        ("fraction_best", 1.0),
    ],
)
def test_by_hand_of_five_pairs(name: str, expected: float) -> None:
    np.testing.assert_allclose(of(name, Y, X), [expected], rtol=1e-14)


def test_the_best_are_the_lowest() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])

    # best by experiment: the last three. Of the best one and two none is shared, of the best three none either.
    assert of("fraction_best", y, -y).tolist() == [0.0]
    # shared: 0 of 1, 2 of 2, 2 of 3
    np.testing.assert_allclose(of("fraction_best", y, np.array([2.0, 1.0, 9.0, 4.0, 5.0, 6.0])), [(0 + 1 + 2 / 3) / 3])


def test_names_of_groups_are_names_of_statistics() -> None:
    assert set(ORDERS) | set(LIGANDS_ONLY) <= set(STATISTICS)


def test_picks_are_counted() -> None:
    counts = count_picks(np.array([[0, 0, 2], [1, 2, 1]]), 4)

    assert counts.tolist() == [[2.0, 0.0, 1.0, 0.0], [0.0, 2.0, 1.0, 0.0]]
    assert count_picks(np.zeros((0, 3), dtype=np.int64), 4).shape == (0, 4)


@pytest.mark.parametrize("name", ["pearson_r", "R2", "spearman_rho", "kendall_tau"])
@pytest.mark.parametrize("value", [0.1, 1e9 / 3])
def test_a_resample_of_one_value_has_no_correlation(name: str, value: float) -> None:
    y, x = np.array([value, value, value, 7.0]), np.array([1.0, 2.0, 3.0, 4.0])
    counts = np.array([[1.0, 1.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0]])

    for found in (of(name, y, x, counts), of(name, x, y, counts)):
        assert np.isnan(found).tolist() == [True, False]


def test_what_is_relative_to_experiments_that_do_not_vary_or_have_mean_zero_is_undefined() -> None:
    flat, mirrored = np.full(3, 0.1), np.array([-0.1, 0.3, -0.2])
    y = np.array([1.0, 2.0, 3.0])

    assert np.isnan(of("RAE", y, flat)[0])
    assert np.isnan(of("predictive_index", y, flat)[0])
    assert np.isfinite(of("NRMSE", y, flat)[0])
    assert np.isnan(of("NRMSE", y, mirrored)[0])
    assert np.isfinite(of("RAE", y, mirrored)[0])
    assert np.isnan(of("fraction_best", y[:1], flat[:1])[0])


small = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=9)


@settings(max_examples=share(0.5))
@given(small, st.integers(0, 2**32 - 1))
def test_counts_are_copies_and_rows_of_values_are_resamples(pairs: list[tuple[int, int]], seed: int) -> None:
    y, x = np.array(pairs, dtype=np.float64).T
    picks = np.random.default_rng(seed).integers(len(y), size=(4, len(y)))

    for name in STATISTICS:
        counted = of(name, y, x, count_picks(picks, len(y)))
        by_rows = of(name, y[picks], x[picks], np.ones(picks.shape))

        written_out = np.concatenate([of(name, y[pick], x[pick]) for pick in picks])
        np.testing.assert_allclose(counted, written_out, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(by_rows, written_out, atol=1e-12, err_msg=name)


@given(small)
def test_opposite_estimates_have_opposite_orders(pairs: list[tuple[int, int]]) -> None:
    y, x = np.array(pairs, dtype=np.float64).T

    for name in ("pearson_r", "spearman_rho", "kendall_tau", "predictive_index"):
        np.testing.assert_allclose(of(name, -y, x), -of(name, y, x), atol=1e-12, err_msg=name)
    for name in ("pearson_r", "R2", "spearman_rho", "kendall_tau"):  # symmetric; errors are, relative ones are not
        np.testing.assert_allclose(of(name, x, y), of(name, y, x), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("entries", [1, 7 * 12, 12 * 12])
def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, entries: int) -> None:
    rng = np.random.default_rng(0)
    y, x, counts = rng.normal(size=12), rng.normal(size=12), rng.integers(0, 3, (3, 12)).astype(float)
    whole = {name: of(name, y, x, counts) for name in ("kendall_tau", "predictive_index")}

    monkeypatch.setattr(pair_statistics, "_BLOCK_ENTRIES", entries)

    for name, expected in whole.items():
        np.testing.assert_allclose(of(name, y, x, counts), expected, rtol=1e-12)
