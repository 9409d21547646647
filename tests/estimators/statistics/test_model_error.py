"""The model error: recovered where it is known, and drawn as stated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alchemiscale_lake.estimators.errors import EstimatorInputError
from alchemiscale_lake.estimators.network.ranking import rank_nodes
from alchemiscale_lake.estimators.statistics.model_error import PUBLISHED_BINDING, ModelError, estimate_model_error


def test_many_assays_determine_the_error_without_a_prior() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 2, 400)
    estimate = truth + 7.0 + rng.normal(0, math.hypot(0.6, 0.2), 400)
    assay = truth + rng.normal(0, 0.3, 400)

    found = estimate_model_error(estimate, assay, 0.04 * np.eye(400), experiment_uncertainty_kcal_mol=np.full(400, 0.3))
    alone = estimate_model_error(
        estimate, assay, 0.04 * np.eye(400), experiment_uncertainty_kcal_mol=np.full(400, 0.3), prior=None
    )

    assert found.sd_kcal_mol == pytest.approx(0.6, rel=0.12)
    assert found.degrees_of_freedom > 200
    assert alone.sd_kcal_mol == pytest.approx(0.6, rel=0.12)


def test_few_assays_move_what_benchmarks_show_by_as_much_as_they_are_worth() -> None:
    close = estimate_model_error([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], np.zeros((3, 3)))
    far = estimate_model_error([0.0, 1.0, 2.0], [4.0, -2.0, 2.0], np.zeros((3, 3)))

    assert close.sd_kcal_mol == pytest.approx(0.93 * math.sqrt(4.5 / 6.5))
    assert 1.5 < far.sd_kcal_mol < 3.0
    assert close.degrees_of_freedom == far.degrees_of_freedom == 6.5


def test_what_uncertainties_explain_is_not_the_models() -> None:
    rng = np.random.default_rng(2)
    noisy = rng.normal(0, 5.0, 30)

    found = estimate_model_error(noisy, np.zeros(30), 25.0 * np.eye(30))

    # such estimates contain little information on an error of about one
    assert found.degrees_of_freedom == pytest.approx(PUBLISHED_BINDING.degrees_of_freedom, abs=0.1)
    assert found.sd_kcal_mol == pytest.approx(PUBLISHED_BINDING.sd_kcal_mol, abs=0.05)


def test_without_assays_the_prior_applies_and_without_both_the_error_is_unknown() -> None:
    assert estimate_model_error([1.0], [5.0], [[0.1]]) is PUBLISHED_BINDING
    assert estimate_model_error([1.0], [5.0], [[0.0]], relative=False, prior=None).sd_kcal_mol == 4.0
    with pytest.raises(EstimatorInputError, match=r"cannot be estimated from so few measured ligands .1."):
        estimate_model_error([1.0], [5.0], [[0.1]], prior=None)


def test_an_invalid_model_error_is_refused() -> None:
    with pytest.raises(EstimatorInputError, match="finite and not negative, not -1"):
        ModelError(-1.0)
    with pytest.raises(EstimatorInputError, match="disagree"):
        estimate_model_error([1.0, 2.0], [1.0], np.eye(2))


def test_drawn_errors_have_the_spread_that_is_stated() -> None:
    rng = np.random.default_rng(3)

    certain = ModelError(0.7).draw(40, 5000, rng)
    uncertain = ModelError(0.7, 5.0).draw(40, 20000, rng)

    assert certain.shape == (40, 5000)
    assert certain.std() == pytest.approx(0.7, rel=0.02)
    # the mean of a scaled inverse chi-squared variance is larger by dof / (dof - 2)
    assert uncertain.std() == pytest.approx(0.7 * math.sqrt(5 / 3), rel=0.05)
    assert uncertain.std(axis=0).std() > 0.2


def test_a_model_error_makes_ranks_less_certain_and_zero_changes_nothing() -> None:
    value, covariance = [0.0, 1.0, 3.0], 0.01 * np.eye(3)

    sure = rank_nodes(value, covariance)
    alike = rank_nodes(value, covariance, model_error=ModelError(0.0))
    unsure = rank_nodes(value, covariance, model_error=ModelError(1.0))

    assert sure.p_best[0] > 0.999
    assert alike.p_best[0] > 0.999
    # the first against the second: one kcal/mol by 1.4
    assert 0.7 < unsure.p_best[0] < 0.8
