"""The pooled spread: recovery of known spreads, and its intervals in limiting cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.pooling import pool_spread
from alchemiscale_lake.estimators.statistics.normal_mixture import NORMAL_95


def draw(
    rng: np.random.Generator, n_legs: int, n: int, ratio: float, dof: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Draw stated variances, numbers and sample standard deviations from the model itself."""
    variance = rng.uniform(0.01, 0.2, n_legs)
    true = ratio * variance * (dof / rng.chisquare(dof, n_legs) if np.isfinite(dof) else 1.0)
    return variance, np.full(n_legs, n), np.sqrt(true * rng.chisquare(n - 1, n_legs) / (n - 1))


@pytest.mark.parametrize("ratio", [0.25, 1.0, 9.0])
@pytest.mark.parametrize("dof", [4.0, 20.0])
def test_parameters_are_found_in_many_legs(ratio: float, dof: float) -> None:
    spread = pool_spread(*draw(np.random.default_rng(8), 4000, 8, ratio, dof))

    assert spread.ratio == pytest.approx(ratio, rel=0.08)
    assert spread.prior_dof == pytest.approx(dof, rel=0.3)


def test_many_legs_alike_leave_nothing_but_the_normal_distribution() -> None:
    variance, n, sd = draw(np.random.default_rng(9), 4000, 3, 4.0, np.inf)

    found = pool_spread(variance, n, sd).uncertainty(variance, n, sd)

    np.testing.assert_allclose(found, 2.0 * np.sqrt(variance / 3), rtol=0.1)


def test_one_leg_with_many_results_speaks_for_itself() -> None:
    spread = pool_spread([0.01], [400], [0.5])

    assert spread.uncertainty([0.01], [400], [0.5])[0] == pytest.approx(0.5 / 20, rel=0.05)


def test_a_few_repeats_give_wider_intervals_than_a_normal_distribution_would() -> None:
    (alone,) = pool_spread([0.04], [2], [0.2]).uncertainty([0.04], [2], [0.2])

    assert 0.2 / np.sqrt(2) < alone < 0.2 / np.sqrt(2) * special.stdtrit(1, 0.975) / NORMAL_95


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=12), st.integers(2, 6), st.floats(0.1, 10.0))
def test_units_do_not_matter_and_more_scatter_is_never_less_uncertainty(sds: list[float], n: int, scale: float) -> None:
    sd = np.array(sds)
    count = np.full(len(sd), n)
    common = pool_spread(None, count, sd).uncertainty(np.ones(len(sd)), count, sd)
    scaled = pool_spread(None, count, scale * sd).uncertainty(np.ones(len(sd)), count, scale * sd)

    np.testing.assert_allclose(scaled, scale * common, rtol=0.02)
    assert (np.diff(common[np.argsort(sd)]) >= -1e-9).all()


@pytest.mark.parametrize("n_legs", range(1, 12))
def test_a_result_at_the_mean_of_the_others_has_no_probability_above_one(n_legs: int) -> None:
    count, sd = np.full(n_legs, 3), np.linspace(0.1, 0.3, n_legs)
    spread = pool_spread(np.full(n_legs, 0.01), count, sd)

    p = spread.result_probability(np.zeros(n_legs), np.full(n_legs, 0.01), count, sd)

    assert (p <= 1.0).all()
    assert p == pytest.approx(1.0)


def test_legs_that_cannot_be_pooled_are_refused() -> None:
    with pytest.raises(EstimatorInputError, match="no leg has repeats"):
        pool_spread([0.1, 0.2], [1, 1], [np.nan, np.nan])
    with pytest.raises(EstimatorInputError, match="must be positive"):
        pool_spread([0.0], [2], [0.1])
