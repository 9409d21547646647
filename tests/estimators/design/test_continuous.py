"""The continuous optimum: closed form on trees, a general optimiser on small graphs, its certificate everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import minimize

from alchemiscale_lake.estimators import EstimatorInputError
from alchemiscale_lake.estimators.design import goals
from alchemiscale_lake.estimators.design.continuous import continuous_optimum
from alchemiscale_lake.estimators.design.design_covariance import components_of, design_covariance
from alchemiscale_lake.estimators.design.design_network import DesignNetwork, design_network
from tests.estimators.design.designs import designs, random_design


def loss(network: DesignNetwork, weight: np.ndarray, share: np.ndarray) -> float:
    """Return tr(W C) by numpy's pseudo-inverse, with B = 1."""
    precision = share / network.edge_price()
    incidence = np.zeros((network.n_edges, network.n_nodes))
    incidence[np.arange(network.n_edges), network.head] = 1.0
    incidence[np.arange(network.n_edges), network.tail] -= 1.0
    information = incidence.T @ (precision[:, None] * incidence)
    return float(np.trace(weight @ np.linalg.pinv(information, rcond=1e-13)))


@pytest.mark.parametrize("seed", range(5))
def test_a_tree_has_its_closed_form(seed: int) -> None:
    network = random_design(seed, 9, 8)
    weight = goals.mean_uncertainty(9)

    optimum = continuous_optimum(network, weight, tolerance=1e-9)

    # an edge that cuts off a of n nodes adds k_e / B_e * a (n - a) / n^2 to the mean variance
    price = network.edge_price()
    cut = []
    for edge in range(8):
        others = components_of(network, np.arange(8) != edge)
        a = int((others.label == 0).sum())
        cut.append(a * (9 - a) / 81)
    root = np.sqrt(price * np.array(cut))
    assert optimum.share == pytest.approx(root / root.sum(), rel=1e-6)
    assert optimum.loss == pytest.approx(root.sum() ** 2)
    assert optimum.n_iterations <= 5


@pytest.mark.parametrize(
    ("seed", "goal"), [(seed, goal) for seed in range(3) for goal in ("mean", "pairs", "top", "mix")]
)
def test_small_graphs_agree_with_a_general_optimiser(seed: int, goal: str) -> None:
    n, m = 6, 11
    network = random_design(seed, n, m)
    rng = np.random.default_rng(seed)
    components = components_of(network)
    now = design_covariance(network, 1.0 / network.edge_variance(np.ones(2 * m)))
    top = goals.top_k(rng.normal(size=n), now, components, np.array([2]))
    weight = {
        "mean": goals.mean_uncertainty(n),
        "pairs": goals.all_differences(components),
        "top": goals.mix([(0.95, top), (0.05, np.eye(n))]),
        "mix": goals.mix([(0.7, top), (0.3, np.eye(n))]),
    }[goal]

    optimum = continuous_optimum(network, weight)
    found = minimize(
        lambda x: np.log(loss(network, weight, np.exp(x - x.max()) / np.exp(x - x.max()).sum())),
        np.zeros(m),
        method="BFGS",
        options={"gtol": 1e-9, "maxiter": 5000},
    )

    assert optimum.certified
    assert optimum.loss == pytest.approx(loss(network, weight, optimum.share), rel=1e-6)
    assert optimum.loss <= np.exp(found.fun) * (1 + 1e-3)
    # numerical gradients leave the other optimiser a little above, where edges end with nothing
    assert optimum.loss >= np.exp(found.fun) * (1 - 3e-3)


@given(network=designs())
def test_every_optimum_is_certified_and_no_other_share_is_better(network: DesignNetwork) -> None:
    weight = goals.mean_uncertainty(network.n_nodes)

    optimum = continuous_optimum(network, weight, budget=3.0)

    assert optimum.certified
    assert 0 <= optimum.gap <= 1e-3
    assert optimum.share.sum() == pytest.approx(1.0)
    rng = np.random.default_rng(1)
    for _ in range(20):
        other = rng.dirichlet(np.ones(network.n_edges))
        mixed = 0.5 * optimum.share + 0.5 * other
        covariance = design_covariance(network, 3.0 * mixed / network.edge_price())
        assert float(np.trace(weight @ covariance)) >= optimum.loss * (1 - 1.1e-3)


def test_components_share_one_budget_and_a_loop_gets_nothing() -> None:
    network = design_network(5, [0, 2, 2, 1], [1, 3, 4, 1], variance=[1.0, 1.0, 1.0, 1.0])

    optimum = continuous_optimum(network, goals.mean_uncertainty(5))

    # cuts: a pair 1/2 of one, the star of three nodes 2/3 each
    root = np.sqrt([1 / 2, 2 / 3, 2 / 3, 0.0])
    assert optimum.share == pytest.approx(root / root.sum(), abs=1e-3)


def test_of_parallel_edges_the_cheaper_one_is_used() -> None:
    network = design_network(2, [0, 0], [1, 1], variance=[1.0, 2.0])

    assert continuous_optimum(network, goals.mean_uncertainty(2)).share[0] > 0.999


def test_nothing_to_allocate_is_refused() -> None:
    with pytest.raises(EstimatorInputError, match="edge between two nodes"):
        continuous_optimum(design_network(1, [0], [0], variance=[1.0]), np.eye(1))


def test_a_link_moves_the_optimum_of_the_trees_that_it_joins() -> None:
    """A - B, and C - D - E: two trees, each with its own mean; with B and C linked, one."""
    ends = ([0, 2, 3], [1, 3, 4])
    apart = design_network(5, *ends, variance=[1.0, 4.0, 1.0])
    linked = design_network(5, *ends, variance=[1.0, 4.0, 1.0], link_tail=[1], link_head=[2], link_variance=[0.09])
    weight = np.eye(5)

    # the trace is the sum over edges of variance * (nodes before) * (nodes behind) / (nodes of the component)
    for network, cut, of_link in (
        (apart, np.array([1 / 2, 2 / 3, 2 / 3]), 0.0),
        (linked, np.array([4 / 5, 6 / 5, 4 / 5]), 0.09 * 6 / 5),
    ):
        optimum = continuous_optimum(network, weight, budget=7.0)
        root = np.sqrt(cut * [1.0, 4.0, 1.0])
        assert optimum.share == pytest.approx(root / root.sum(), abs=1e-3)
        assert optimum.loss == pytest.approx(root.sum() ** 2 / 7.0 + of_link, rel=1e-3)


def test_between_linked_nodes_of_a_triangle_nothing_is_paid_twice() -> None:
    """A and C are the same: the edges A - B and B - C measure one difference, and A - C none."""
    network = design_network(
        3,
        [0, 1, 0],
        [1, 2, 2],
        variance=[2.0, 1.0, 1e-3],
        link_tail=[2],
        link_head=[0],
        link_variance=[1e-6],
    )

    optimum = continuous_optimum(network, goals.mean_uncertainty(3), budget=10.0)

    assert optimum.share == pytest.approx([0.0, 1.0, 0.0], abs=1e-3)
