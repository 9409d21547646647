from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from alchemiscale_lake.estimators.statistics.error_curves import cumulative_share, expected_share

VALUES = st.lists(st.floats(-50, 50), min_size=1, max_size=30)


@given(VALUES, st.floats(0, 60))
def test_the_share_is_what_counting_gives(values: list[float], size: float) -> None:
    found = cumulative_share(values)

    counted = sum(abs(value) <= size for value in values) / len(values)
    assert found.share[np.searchsorted(found.size, size, side="right") - 1] == pytest.approx(counted)


@given(VALUES)
def test_curves_rise_from_nothing_to_everything(values: list[float]) -> None:
    found = cumulative_share(values, n_bootstrap=20, rng=np.random.default_rng(0))

    assert (found.size[0], found.share[0], found.share[-1]) == (0.0, 0.0, 1.0)
    for curve in (found.size, found.share, found.low, found.high):
        assert len(curve) == len(values) + 1
        assert np.all(np.diff(curve) >= 0)
    assert np.all(found.low <= found.high)
    assert found.high[-1] == found.low[-1] == 1.0


def test_without_resamples_there_is_no_interval() -> None:
    found = cumulative_share([1.0, -2.0])

    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_the_interval_is_that_of_a_binomial_share() -> None:
    """The number of resampled errors up to a size is binomial, with the observed share."""
    n, confidence = 40, 0.9
    errors = np.random.default_rng(5).normal(size=n)

    found = cumulative_share(errors, n_bootstrap=20000, confidence=confidence, rng=np.random.default_rng(1))

    middle = found.share[1:-1]
    np.testing.assert_allclose(found.low[1:-1], binom.ppf(0.05, n, middle) / n, atol=1 / n)
    np.testing.assert_allclose(found.high[1:-1], binom.ppf(0.95, n, middle) / n, atol=1 / n)


def test_the_same_generator_gives_the_same_interval() -> None:
    one, two, other = (
        cumulative_share(np.arange(9.0), n_bootstrap=30, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(one.low, two.low)
    assert not np.array_equal(one.low, other.low)


def test_the_expected_share_of_one_uncertainty_is_the_normal_distribution() -> None:
    sizes = np.linspace(0.0, 4.0, 9)

    np.testing.assert_allclose(expected_share(sizes, [0.5]), 2 * norm.cdf(sizes / 0.5) - 1)


def test_the_expected_share_is_what_normal_errors_have() -> None:
    rng = np.random.default_rng(2)
    uncertainty = rng.uniform(0.1, 2.0, 20000)
    seen = cumulative_share(rng.normal(0, uncertainty))

    sizes = np.array([0.2, 0.5, 1.0, 2.0])
    observed = seen.share[np.searchsorted(seen.size, sizes, side="right") - 1]

    np.testing.assert_allclose(expected_share(sizes, uncertainty), observed, atol=3 * 0.5 / np.sqrt(20000))
