"""The variance model: it recovers what data were drawn from, shrinks, and answers without repeats."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators import EstimatorInputError
from alchemiscale_lake.estimators.design.design_network import design_network
from alchemiscale_lake.estimators.design.variance_model import fit_variances


def drawn(seed: int, size: int, repeats: int, dof: float) -> tuple[np.ndarray, ...]:
    """Return true variances, stated ones, a feature, and sums of squares."""
    rng = np.random.default_rng(seed)
    stated = np.exp(rng.normal(-6.0, 0.8, size))
    feature = rng.normal(size=size)
    prior = 9.0 * stated * np.exp(0.5 * feature)
    true = prior * dof / rng.chisquare(dof, size)
    return true, stated, feature, prior, true * rng.chisquare(repeats - 1, size)


def test_the_prior_is_recovered() -> None:
    _, stated, feature, prior, squares = drawn(1, 800, 3, 4.0)

    model = fit_variances(np.full(800, 3), squares, stated_variance=stated, features=feature[:, None])

    assert np.log(model.prior_variance / prior).mean() == pytest.approx(0.0, abs=0.12)
    assert np.corrcoef(np.log(model.prior_variance), np.log(prior))[0, 1] > 0.99
    assert 2.8 < model.prior_dof < 5.7


@pytest.mark.parametrize("dof", [1.6, 6.0])
def test_shrinkage_is_nearer_to_the_truth_than_the_sample_and_the_prior(dof: float) -> None:
    true, stated, feature, _, squares = drawn(2, 300, 3, dof)

    model = fit_variances(np.full(300, 3), squares, stated_variance=stated, features=feature[:, None])

    def away(variance: np.ndarray) -> float:
        return float((np.log(variance / true) ** 2).mean())

    assert away(model.variance) < 0.7 * away(squares / 2)
    assert away(model.variance) < away(model.prior_variance)


def test_intervals_of_means_cover() -> None:
    true, stated, feature, _, squares = drawn(3, 4000, 3, 2.0)
    error = np.random.default_rng(4).normal(size=4000) * np.sqrt(true / 3)

    model = fit_variances(np.full(4000, 3), squares, stated_variance=stated, features=feature[:, None])

    covered = (np.abs(error) < 1.96 * np.sqrt(model.inflated() / 3)).mean()
    assert covered == pytest.approx(0.95, abs=0.02)
    assert (np.abs(error) < 1.96 * np.sqrt(squares / 2 / 3)).mean() < 0.88, "plug-in variances are over-confident"


def test_without_repeats_the_prior_answers() -> None:
    nothing = fit_variances([0, 1], [np.nan, np.nan])
    stated = fit_variances([1, 1], [0.0, 0.0], stated_variance=[0.01, 0.04])

    assert np.sqrt(nothing.variance) == pytest.approx([0.15, 0.15])
    assert np.sqrt(stated.variance) == pytest.approx([2.8 * 0.1, 2.8 * 0.2], rel=0.2)
    assert (stated.degrees_of_freedom == stated.prior_dof).all()


def test_groups_differ_and_copies_say_nothing() -> None:
    rng = np.random.default_rng(5)
    group = np.repeat([0, 1], 60)
    true = np.where(group == 0, 0.04, 0.0025)
    squares = true * rng.chisquare(2, 120)
    squares[0] = 0.0

    model = fit_variances(np.full(120, 3), squares, group=group)

    assert np.sqrt(model.prior_variance[1] / model.prior_variance[-1]) == pytest.approx(4.0, rel=0.35)
    assert model.degrees_of_freedom[0] == model.prior_dof


def test_bad_arrays_are_refused() -> None:
    with pytest.raises(EstimatorInputError, match="sum_squares of calculation 1 is -1"):
        fit_variances([3, 3], [1.0, -1.0])
    with pytest.raises(EstimatorInputError, match="one row per calculation"):
        fit_variances([3, 3], [1.0, 1.0], features=np.array([[1.0], [2.0], [3.0]]))
    with pytest.raises(EstimatorInputError, match="variance of calculation 1 is 0"):
        design_network(2, [0, 0], [1, 1], variance=[1.0, 0.0])
    with pytest.raises(EstimatorInputError, match="head of entry 0 is 2"):
        design_network(2, [0], [2], variance=[1.0])
    with pytest.raises(EstimatorInputError, match="leg_edge lacks 1"):
        design_network(2, [0, 0], [1, 1], variance=[1.0], leg_edge=[0])
