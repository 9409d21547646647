"""Goals: W is the derivative of what it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from alchemiscale_lake.estimators import EstimatorInputError
from alchemiscale_lake.estimators.design import goals
from alchemiscale_lake.estimators.design.design_covariance import components_of, design_covariance, solve_values
from alchemiscale_lake.estimators.design.design_network import design_network
from tests.estimators.design.designs import random_design

NETWORK = random_design(7, 7, 10)


COUNT = np.full(20, 2.0)


COMPONENTS = components_of(NETWORK)


VALUE = np.random.default_rng(3).normal(size=7)


def covariance(count: np.ndarray) -> np.ndarray:
    return design_covariance(NETWORK, 1.0 / NETWORK.edge_variance(count))


def misordered(c: np.ndarray, top: list[int] | None = None) -> float:
    total = 0.0
    for i in range(7):
        for j in range(i):
            if top is None or (i in top) != (j in top):
                total += ndtr(-abs(VALUE[i] - VALUE[j]) / np.sqrt(c[i, i] + c[j, j] - 2 * c[i, j]))
    return total


@pytest.mark.parametrize("top", [None, 2])
def test_w_is_the_derivative_of_the_expected_misordered_pairs(top: int | None) -> None:
    now = covariance(COUNT)
    k = np.array([2])
    if top is None:
        weight, chosen = goals.ranking(VALUE, now, COMPONENTS, soften=0.0), None
    else:
        weight, chosen = goals.top_k(VALUE, now, COMPONENTS, k, soften=0.0), np.argsort(VALUE)[:2].tolist()
        assert goals.expected_misplacements(VALUE, now, COMPONENTS, k) == pytest.approx(misordered(now, chosen))
    for calculation in range(4):
        step = np.zeros(20)
        step[calculation] = 1e-5
        change = covariance(COUNT + step) - covariance(COUNT - step)
        expected = misordered(covariance(COUNT + step), chosen) - misordered(covariance(COUNT - step), chosen)
        assert float(np.trace(weight @ change)) == pytest.approx(expected, rel=1e-4)


def test_means_over_nodes_and_differences() -> None:
    now = covariance(COUNT)
    differences = [now[i, i] + now[j, j] - 2 * now[i, j] for i in range(7) for j in range(i)]

    assert np.trace(goals.mean_uncertainty(7) @ now) == pytest.approx(np.diag(now).mean())
    assert np.trace(goals.all_differences(COMPONENTS) @ now) == pytest.approx(np.mean(differences))
    assert np.trace(goals.some_nodes(7, [1, 4]) @ now) == pytest.approx((now[1, 1] + now[4, 4]) / 2)
    z = np.array([1.0, -1.0, 0, 0, 0, 0, 0])
    assert np.trace(goals.contrast(z) @ now) == pytest.approx(z @ now @ z)


def test_a_mixture_has_trace_one_and_nothing_is_refused() -> None:
    mixed = goals.mix([(0.7, goals.ranking(VALUE, covariance(COUNT), COMPONENTS)), (0.3, np.eye(7))])

    assert np.trace(mixed) == pytest.approx(1.0)
    with pytest.raises(EstimatorInputError, match="no weight"):
        goals.mix([(1.0, np.zeros((2, 2)))])
    with pytest.raises(EstimatorInputError, match="contrast"):
        goals.contrast([0.0, 0.0])
    with pytest.raises(EstimatorInputError, match="none was given"):
        goals.some_nodes(3, [])


def test_pairs_of_different_components_do_not_count() -> None:
    network = design_network(4, [0, 2], [1, 3], variance=[1.0, 1.0])
    components = components_of(network)
    now = design_covariance(network, np.ones(2))

    weight = goals.top_k(np.array([0.0, 0.1, 5.0, 5.1]), now, components, np.array([1, 1]))

    assert weight[:2, 2:].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert weight[0, 1] < 0
    assert goals.lowest(np.array([0.0, 0.1, 5.0, 5.1]), components, np.array([1, 1])).tolist() == [True, False] * 2


def test_anchors_set_the_scale() -> None:
    network = design_network(3, [0, -1], [1, 2], variance=[0.04, 0.25], anchor_variance=[0.01, np.inf, np.inf])
    values, now, components = solve_values(network, np.array([0.3, 9.0]), np.array([25.0, 4.0]), np.array([-5.0, 0, 0]))

    assert values == pytest.approx([-5.0, -4.7, 9.0])
    assert np.diag(now) == pytest.approx([0.01, 0.05, 0.25])
    assert components.anchored == [True, True]
