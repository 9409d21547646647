from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy import optimize, stats

from alchemiscale_lake.estimators.errors import EstimatorConvergenceError, EstimatorInputError
from alchemiscale_lake.estimators.network import robust
from alchemiscale_lake.estimators.network.network_mle import solve_network
from alchemiscale_lake.estimators.network.robust import solve_network_robust
from tests.estimators.networks import Edges, networks, random_network
from tests.long import LONG


@pytest.mark.parametrize("freedom", [1.0, 2.0, 4.0, 30.0])
def test_repeated_measurements_have_students_location(freedom: float) -> None:
    value, sd = np.array([1.0, 1.2, 0.9, 4.0, 1.1]), np.array([0.2, 0.3, 0.1, 0.2, 0.4])

    def loss(location: float) -> float:
        return -float(stats.t.logpdf(value, freedom, location, sd).sum())

    best = optimize.minimize_scalar(loss, bracket=(0.8, 1.3), tol=1e-12).x
    if freedom <= 2:
        step = 1e-4
        variance = step**2 / (loss(best + step) - 2 * loss(best) + loss(best - step))
    else:
        at = np.linspace(best - 10, best + 10, 40_001)
        weight = np.exp(stats.t.logpdf(value[:, None], freedom, at, sd[:, None]).sum(axis=0) + loss(best))
        variance = float(weight @ (at - best) ** 2 / weight.sum())

    found = solve_network_robust(["a"] * 5, ["b"] * 5, value, sd, degrees_of_freedom=freedom)

    difference = found.estimate.difference([("a", "b")])
    assert difference.value_kcal_mol[0] == pytest.approx(best, abs=1e-7)
    # drawn where there is a spread: within three standard errors
    assert difference.uncertainty_kcal_mol[0] == pytest.approx(variance**0.5, rel=1e-5 if freedom <= 2 else 0.06)
    np.testing.assert_allclose(
        found.estimate.edge_variance_kcal2_mol2, difference.uncertainty_kcal_mol[0] ** 2, rtol=1e-9
    )
    expected = (freedom + 1) / (freedom + ((value - best) / sd) ** 2)
    np.testing.assert_allclose(found.edge_weight, expected, rtol=1e-6)


@given(networks(decades=1.0))
def test_many_degrees_of_freedom_are_gaussian(edges: Edges) -> None:
    rows = (*edges.labels(), edges.value, edges.sd)
    gaussian = solve_network(*rows)

    found = solve_network_robust(*rows, degrees_of_freedom=1e13)

    np.testing.assert_allclose(found.estimate.value_kcal_mol, gaussian.value_kcal_mol, atol=1e-6)
    np.testing.assert_allclose(found.estimate.covariance, gaussian.covariance, atol=1e-6)
    np.testing.assert_allclose(found.edge_weight, 1.0, atol=1e-6)


@given(networks(decades=1.0))
def test_the_gradient_of_the_likelihood_vanishes(edges: Edges) -> None:
    try:
        found = solve_network_robust(*edges.labels(), edges.value, edges.sd, nodes=edges.nodes())
    except EstimatorConvergenceError:
        return  # still moving, as reported
    pull = found.edge_weight * found.estimate.residual_kcal_mol / edges.sd**2

    net = np.bincount(edges.head, pull, edges.n_nodes) - np.bincount(edges.tail, pull, edges.n_nodes)

    np.testing.assert_allclose(net, 0.0, atol=1e-6 * (1 / edges.sd**2).max())


def test_outliers_are_seen_and_do_little_harm() -> None:
    edges = random_network(5, 40, 160)
    value = edges.value.copy()
    wrong = np.random.default_rng(0).choice(160, 8, replace=False)
    value[wrong] += 8.0
    truth = edges.truth - edges.truth.mean()
    rows = (*edges.labels(), value, edges.sd)

    gaussian = solve_network(*rows, nodes=edges.nodes())
    found = solve_network_robust(*rows, nodes=edges.nodes())

    error = np.sqrt(np.mean((found.estimate.value_kcal_mol - truth) ** 2))
    assert error < 0.3 * np.sqrt(np.mean((gaussian.value_kcal_mol - truth) ** 2))
    assert found.edge_weight[wrong].max() < 0.1
    assert np.median(found.edge_weight) > 0.8


def test_exact_edges_stay_constraints() -> None:
    found = solve_network_robust(
        ["a", "b", "a", "c", "c"],
        ["b", "c", "c", "c2", "c"],
        [1.0, 1.0, 2.6, 0.5, 1.0],
        [0.2, 0.2, 0.3, 0.0, 0.1],
        nodes=["z"],
    )

    estimate = found.estimate
    assert estimate.difference([("c", "c2")]).value_kcal_mol[0] == pytest.approx(0.5, abs=1e-12)
    assert estimate.edge_variance_kcal2_mol2[3:].tolist() == [0.0, 0.0]
    assert found.edge_weight[3:].tolist() == [1.0, 1.0]
    assert np.isnan(estimate.value_kcal_mol[0])
    assert np.isnan(estimate.difference([("z", "z")]).value_kcal_mol[0])
    assert {"exact-edges", "self-loops", "isolated-nodes", "sampled-posterior"} <= {
        note.code for note in estimate.notes
    }


def test_large_networks_take_the_expected_information(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = random_network(5, 40, 160)
    rows = (*edges.labels(), edges.value, edges.sd)
    sampled = solve_network_robust(*rows).estimate
    monkeypatch.setattr(robust, "MAX_SAMPLED_NODES", 10)

    expected = solve_network_robust(*rows).estimate

    assert expected.notes[-1].code == "expected-information"
    assert expected.covariance is None
    np.testing.assert_array_equal(expected.value_kcal_mol, sampled.value_kcal_mol)
    gaussian = solve_network(*rows).uncertainty_kcal_mol
    # between an edge among many (7/5) and one alone (2)
    assert (expected.uncertainty_kcal_mol > gaussian * np.sqrt(7 / 5)).all()
    assert (expected.uncertainty_kcal_mol < gaussian * np.sqrt(2)).all()
    np.testing.assert_allclose(expected.uncertainty_kcal_mol, sampled.uncertainty_kcal_mol, rtol=0.5)


@pytest.mark.parametrize("sampled", [True, False])
def test_an_edge_alone_is_as_wide_as_its_distribution(monkeypatch: pytest.MonkeyPatch, sampled: bool) -> None:
    if not sampled:
        monkeypatch.setattr(robust, "MAX_SAMPLED_NODES", 1)

    found = solve_network_robust(["a", "b"], ["b", "c"], [1.0, 2.0], [0.1, 0.3]).estimate

    # Student's t with 4 degrees of freedom has a standard deviation of sqrt(2), and 97.5 % below 1.96 times that
    difference = found.difference([("a", "b"), ("b", "c")])
    assert difference.uncertainty_kcal_mol == pytest.approx([0.1 * 2**0.5, 0.3 * 2**0.5], rel=0.1 if sampled else 1e-9)


@pytest.mark.parametrize(("n_edges", "n_networks"), [(11, 60), (18, 60), (30, 40)])
@pytest.mark.parametrize("sampled", [True, False])
def test_intervals_cover_with_few_edges_per_node_too(
    monkeypatch: pytest.MonkeyPatch, n_edges: int, n_networks: int, sampled: bool
) -> None:
    if not sampled:
        monkeypatch.setattr(robust, "MAX_SAMPLED_NODES", 1)
    rng = np.random.default_rng(6)
    inside = []
    for seed in range(n_networks):
        edges = random_network(seed, 12, n_edges)
        step = edges.truth[edges.head] - edges.truth[edges.tail]
        value = step + edges.sd * rng.standard_t(4, size=len(step))
        found = solve_network_robust(*edges.labels(), value, edges.sd, nodes=edges.nodes()).estimate
        error = found.value_kcal_mol - (edges.truth - edges.truth.mean())
        inside.append(np.abs(error) < 1.96 * found.uncertainty_kcal_mol)

    # 12 nodes of 40 to 60 networks, those of a network moving together; curvature alone held 86 %
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


# correlated pulls; independent ones would scatter by 0.007 in 120 networks, the eight of a network move together
@pytest.mark.parametrize(("n_networks", "within"), [(30, 0.04), pytest.param(120, 0.02, marks=LONG)])
def test_intervals_cover_where_tails_are_heavy(n_networks: int, within: float) -> None:
    edges = random_network(9, 8, 160)
    truth = edges.truth - edges.truth.mean()
    step = edges.truth[edges.head] - edges.truth[edges.tail]
    rng = np.random.default_rng(4)

    pulls = []
    for _ in range(n_networks):
        value = step + edges.sd * rng.standard_t(4, size=160)
        found = solve_network_robust(*edges.labels(), value, edges.sd, nodes=edges.nodes()).estimate
        pulls.append((found.value_kcal_mol - truth) / found.uncertainty_kcal_mol)

    assert abs(np.mean(np.abs(pulls) < 1.96) - 0.95) < within


@pytest.mark.parametrize("freedom", [2.0, 4.0])
def test_a_tie_between_contradicting_edges_has_an_uncertainty_that_spans_them(freedom: float) -> None:
    found = solve_network_robust(["a", "a"], ["b", "b"], [-5.0, 5.0], [0.1, 0.1], degrees_of_freedom=freedom)

    difference = found.estimate.difference([("a", "b")])
    assert difference.value_kcal_mol[0] == pytest.approx(0.0, abs=1e-6)
    # with few degrees of freedom only the expected information is left
    assert 4.0 < difference.uncertainty_kcal_mol[0] < 6.0 or freedom == 2.0
    assert found.edge_weight == pytest.approx([found.edge_weight[0]] * 2)


@pytest.mark.parametrize("n_more", [0, 3])
def test_a_triangle_that_misses_by_8_has_values_with_large_uncertainties(n_more: int) -> None:
    more = [f"d{k}" for k in range(n_more)]

    found = solve_network_robust(
        ["a", "b", "c", *["a"] * n_more], ["b", "c", "a", *more], [1.0, 1.0, 6.0, *[0.5] * n_more], [0.2] * (3 + n_more)
    ).estimate

    # any of the three may be the one that is wrong
    difference = found.difference([("a", "b"), ("b", "c"), ("c", "a")])
    assert difference.value_kcal_mol == pytest.approx([-5 / 3, -5 / 3, 10 / 3], abs=1e-6)
    assert (difference.uncertainty_kcal_mol > 2.5).all()
    assert (difference.uncertainty_kcal_mol < 6.0).all()
    if n_more:
        assert found.difference([("a", "d0")]).uncertainty_kcal_mol[0] < 0.4


def test_too_few_iterations_are_an_error() -> None:
    with pytest.raises(EstimatorConvergenceError, match="after 2 iterations values still move by"):
        solve_network_robust(["a"] * 3, ["b"] * 3, [1.0, 1.5, 4.0], [0.1] * 3, max_iterations=2)


def test_degrees_of_freedom_must_be_positive() -> None:
    with pytest.raises(EstimatorInputError, match="degrees_of_freedom is 0"):
        solve_network_robust(["a"], ["b"], [1.0], [0.1], degrees_of_freedom=0)
