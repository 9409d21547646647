"""Draws of the node values of a solved network."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.laplacian import dense_solution
from alchemiscale_lake.estimators.laplacian.dense_solution import DenseSolution
from alchemiscale_lake.estimators.laplacian.elimination import Elimination
from alchemiscale_lake.estimators.network.network_draws import draw_deviations
from alchemiscale_lake.estimators.network.network_mle import solve_network
from tests.estimators.networks import random_network


def test_each_component_is_drawn_by_itself_around_its_mean() -> None:
    estimate = solve_network("abxy", "bcyz", [1.0, 2.0, 3.0, 4.0], [0.3, 0.4, 2.0, 3.0])

    drawn = draw_deviations(estimate.solution, 4_000, np.random.default_rng(0))

    assert drawn.shape == (6, 4_000)
    np.testing.assert_allclose(drawn[:3].mean(axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(drawn[3:].mean(axis=0), 0.0, atol=1e-14)
    # a relative standard error of 1 / sqrt(2 x 4,000) is 1.1 %
    assert (drawn[1] - drawn[0]).std() == pytest.approx(0.3, rel=0.05)
    assert (drawn[5] - drawn[4]).std() == pytest.approx(3.0, rel=0.05)
    assert abs(np.corrcoef(drawn[1] - drawn[0], drawn[4] - drawn[3])[0, 1]) < 0.06


def test_one_seed_gives_one_set_of_draws() -> None:
    estimate = solve_network("ab", "bc", [1.0, 2.0], [0.3, 0.4])

    one, same, other = (draw_deviations(estimate.solution, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_exact_networks_do_not_vary() -> None:
    estimate = solve_network("ab", "bc", [1.0, 2.0], [0.0, 0.0])

    np.testing.assert_array_equal(draw_deviations(estimate.solution, 3, np.random.default_rng(0)), np.zeros((3, 3)))


@pytest.mark.parametrize("solution", [Elimination, DenseSolution])
def test_draws_of_a_solved_network_have_its_covariance(monkeypatch: pytest.MonkeyPatch, solution: type) -> None:
    if solution is Elimination:
        monkeypatch.setattr(dense_solution, "_MOST_NODES", 2)
    edges = random_network(3, 120, 260)
    estimate = solve_network(edges.tail, edges.head, edges.value, edges.sd, nodes=range(120))

    drawn = draw_deviations(estimate.solution, 20_000, np.random.default_rng(0))

    assert estimate.covariance is not None
    assert isinstance(estimate.solution.parts[0].elimination, solution)
    scale = np.sqrt(np.diag(estimate.covariance))
    difference = (drawn @ drawn.T / 20_000 - estimate.covariance) / np.outer(scale, scale)
    # a correlation over 20,000 draws has a standard error of at most 0.007 (0.010 on the diagonal)
    assert np.abs(difference).max() < 0.05
    assert np.sqrt(np.mean(difference**2)) < 0.009
    np.testing.assert_allclose(drawn.mean(axis=0), 0.0, atol=1e-12)


def test_rigid_ties_and_lone_nodes_are_drawn_too() -> None:
    estimate = solve_network("abd", "bca", [0.0, 1.0, 2.0], [0.0, 0.5, 0.3], nodes="abcdx", covariance=False)

    drawn = draw_deviations(estimate.solution, 500, np.random.default_rng(1))

    np.testing.assert_allclose(drawn[0], drawn[1])
    assert np.isnan(drawn[4]).all()
    assert np.isfinite(drawn[:4]).all()
