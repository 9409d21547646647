from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from cinnabar import stats
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.network import network_mle
from alchemiscale_lake.estimators.network.network_mle import NetworkEstimate, solve_network
from alchemiscale_lake.estimators.notes import Note
from tests.estimators.exact import exact_solution
from tests.estimators.networks import Edges, networks, random_network
from tests.generations import cinnabar_0_2


def solve(edges: Edges, **options: object) -> NetworkEstimate:
    node_a, node_b = edges.labels()
    return solve_network(node_a, node_b, edges.value, edges.sd, nodes=edges.nodes(), **options)  # type: ignore[arg-type]


def codes(estimate: NetworkEstimate) -> dict[str, Note]:
    return {note.code: note for note in estimate.notes}


# --- known true values --------------------------------------------------------------------------------


def test_two_nodes_share_the_difference_and_its_variance() -> None:
    estimate = solve_network(["a"], ["b"], [2.0], [0.5])

    assert estimate.nodes == ("a", "b")
    np.testing.assert_allclose(estimate.value_kcal_mol, [-1.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(estimate.covariance, 0.25**2 * np.array([[1, -1], [-1, 1]]), rtol=1e-15)
    np.testing.assert_allclose(estimate.uncertainty_kcal_mol, 0.25, rtol=1e-15)
    assert estimate.components[0].degrees_of_freedom == 0
    assert estimate.components[0].chi2 == 0.0
    assert estimate.notes == ()


def test_triangle_spreads_its_closure_error() -> None:
    # Three equal edges that miss closure by 0.3: each gives way by 0.1.
    estimate = solve_network(["a", "b", "c"], ["b", "c", "a"], [1.0, 1.0, -1.7], [0.1] * 3)

    np.testing.assert_allclose(np.diff(estimate.value_kcal_mol), [0.9, 0.9], rtol=1e-13)
    np.testing.assert_allclose(estimate.residual_kcal_mol, [0.1, 0.1, 0.1], rtol=1e-12)
    assert estimate.components[0].chi2 == pytest.approx(3.0)
    assert estimate.components[0].degrees_of_freedom == 1
    # pinv of a triangle's Laplacian: eigenvalue 3 w twice, so (I - J/3) / (3 w).
    expected = (np.eye(3) - 1 / 3) * 0.01 / 3
    np.testing.assert_allclose(estimate.covariance, expected, atol=1e-17)


def test_estimates_scatter_around_the_truth_as_their_covariance_says() -> None:
    edges = random_network(7, 15, 35)
    rng = np.random.default_rng(11)
    truth = edges.truth - edges.truth.mean()
    node_a, node_b = edges.labels()
    exact_difference = edges.truth[edges.head] - edges.truth[edges.tail]

    pulls = []
    for _ in range(400):
        noisy = exact_difference + edges.sd * rng.normal(size=len(edges.sd))
        estimate = solve_network(node_a, node_b, noisy, edges.sd, nodes=edges.nodes())
        pulls.append((estimate.value_kcal_mol - truth) / estimate.uncertainty_kcal_mol)

    # Variance of a pull is 1; over 400 draws its own sd is sqrt(2 / 399) = 0.07.
    np.testing.assert_allclose(np.var(pulls, axis=0, ddof=1), 1.0, atol=5 * 0.071)
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0.0, atol=5 / np.sqrt(400))


def test_chi2_follows_its_degrees_of_freedom() -> None:
    chi2 = [solve(random_network(seed, 30, 80)).components[0].chi2 for seed in range(60)]

    # Mean of 60 draws from chi2 with 51 degrees of freedom: 51 +- sqrt(102 / 60).
    assert abs(np.mean(chi2) - 51) < 3 * np.sqrt(102 / 60)


# --- cinnabar, where it is correct -------------------------------------------------------------------


@cinnabar_0_2
@pytest.mark.parametrize(("n_nodes", "n_edges"), [(2, 1), (10, 9), (30, 60), (90, 240), (250, 600)])
def test_agrees_with_cinnabar(n_nodes: int, n_edges: int) -> None:
    # No pair twice: cinnabar 0.2.3 counts a reverse edge wrongly.
    edges = random_network(n_nodes, n_nodes, n_edges, distinct=True)
    node_a, node_b = edges.labels()
    graph = nx.DiGraph()
    for a, b, value, sd in zip(node_a, node_b, edges.value, edges.sd, strict=True):
        graph.add_edge(a, b, f_ij=value, f_dij=sd)

    values, covariance = stats.mle(graph)
    estimate = solve_network(node_a, node_b, edges.value, edges.sd)

    assert estimate.nodes == tuple(graph.nodes)
    np.testing.assert_allclose(estimate.value_kcal_mol, values, rtol=0, atol=1e-8)
    np.testing.assert_allclose(estimate.covariance, covariance, rtol=0, atol=1e-8)


# --- an independent exact solution, where cinnabar is not --------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_nodes", "n_edges"), [(5, 9), (25, 60), (60, 120)])
def test_uncertainties_over_ten_decades_are_exact(n_nodes: int, n_edges: int, seed: int) -> None:
    edges = random_network(seed, n_nodes, n_edges, decades=10.0)
    values, covariance = exact_solution(n_nodes, edges.tail, edges.head, edges.value, edges.sd)

    estimate = solve(edges)

    np.testing.assert_allclose(estimate.value_kcal_mol, values, rtol=0, atol=1e-8)
    np.testing.assert_allclose(estimate.uncertainty_kcal_mol, np.sqrt(np.diag(covariance)), rtol=1e-8)
    np.testing.assert_allclose(estimate.covariance, covariance, rtol=0, atol=1e-8 * np.diag(covariance).max())
    assert "wide-uncertainties" in codes(estimate)


def test_the_sparse_part_is_as_exact_as_the_dense_one() -> None:
    # More nodes than go straight to the dense core, and few edges, so that most go the sparse way.
    edges = random_network(5, 100, 130, decades=10.0)
    values, covariance = exact_solution(100, edges.tail, edges.head, edges.value, edges.sd)

    estimate = solve(edges)
    without = solve(edges, covariance=False)

    np.testing.assert_allclose(estimate.value_kcal_mol, values, rtol=0, atol=1e-8)
    np.testing.assert_allclose(estimate.uncertainty_kcal_mol, np.sqrt(np.diag(covariance)), rtol=1e-8)
    np.testing.assert_allclose(without.uncertainty_kcal_mol, np.sqrt(np.diag(covariance)), rtol=1e-8)


@cinnabar_0_2
def test_a_pseudo_inverse_would_have_failed_here() -> None:
    edges = random_network(1, 60, 120, decades=10.0, distinct=True)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(60))
    for a, b, value, sd in zip(edges.tail, edges.head, edges.value, edges.sd, strict=True):
        graph.add_edge(int(a), int(b), f_ij=value, f_dij=sd)
    values, _ = exact_solution(60, edges.tail, edges.head, edges.value, edges.sd)

    pseudo_inverse, _ = stats.mle(graph)

    assert np.abs(pseudo_inverse - values).max() > 0.1
    assert np.abs(solve(edges).value_kcal_mol - values).max() < 1e-8


def test_some_uncertainties_zero_is_the_limit_of_vanishing_ones() -> None:
    edges = random_network(3, 40, 90)
    # Edges among the first nodes become exact, with true values, so they cannot contradict each other.
    sd = edges.sd.copy()
    value = edges.value.copy()
    exact = (edges.tail < 12) & (edges.head < 12)
    sd[exact] = 0.0
    value[exact] = (edges.truth[edges.head] - edges.truth[edges.tail])[exact]
    edges = Edges(40, edges.tail, edges.head, value, sd, edges.truth)
    values, covariance = exact_solution(40, edges.tail, edges.head, value, sd)

    estimate = solve(edges)

    np.testing.assert_allclose(estimate.value_kcal_mol, values, rtol=0, atol=1e-8)
    np.testing.assert_allclose(estimate.covariance, covariance, rtol=0, atol=1e-8)
    assert codes(estimate)["exact-edges"].edges == tuple(np.flatnonzero(exact).tolist())
    assert "exact-contradiction" not in codes(estimate)
    np.testing.assert_array_equal(estimate.residual_kcal_mol[exact], 0.0)
    assert np.isfinite(estimate.components[0].chi2)


# --- zero uncertainties -------------------------------------------------------------------------------


def test_an_identical_ligand_is_its_twin() -> None:
    estimate = solve_network(["a", "b", "a"], ["b", "b2", "c"], [1.0, 0.0, 2.0], [0.2, 0.0, 0.1])

    value = dict(zip(estimate.nodes, estimate.value_kcal_mol, strict=True))
    assert value["b"] == value["b2"]
    assert estimate.value_kcal_mol.sum() == pytest.approx(0.0, abs=1e-14)
    b, b2 = estimate.nodes.index("b"), estimate.nodes.index("b2")
    assert estimate.covariance is not None
    np.testing.assert_array_equal(estimate.covariance[b], estimate.covariance[b2])


def test_everything_exact_leaves_nothing_to_estimate() -> None:
    estimate = solve_network(["a", "b"], ["b", "c"], [1.0, 1.0], [0.0, 0.0])

    np.testing.assert_allclose(estimate.value_kcal_mol, [-1.0, 0.0, 1.0], atol=1e-15)
    np.testing.assert_array_equal(estimate.uncertainty_kcal_mol, 0.0)
    np.testing.assert_array_equal(estimate.covariance, np.zeros((3, 3)))


def test_contradicting_exact_edges_yield_equally_with_a_note() -> None:
    estimate = solve_network(["a", "b", "c", "c"], ["b", "c", "a", "d"], [1.0, 1.0, -1.7, 1.0], [0, 0, 0, 0.1])

    note = codes(estimate)["exact-contradiction"]
    assert note.edges == (0, 1, 2)
    assert "0.1 kcal/mol" in note.message
    np.testing.assert_allclose(np.diff(estimate.value_kcal_mol), [0.9, 0.9, 1.0], atol=1e-13)
    assert estimate.components[0].chi2 == np.inf


def test_rounding_around_an_exact_cycle_is_not_a_contradiction() -> None:
    estimate = solve_network(["a", "b", "c"], ["b", "c", "a"], [0.1, 0.2, -0.3], [0.0] * 3)

    assert set(codes(estimate)) == {"exact-edges"}
    assert estimate.components[0].chi2 == 0.0


def test_an_uncertainty_too_small_for_a_weight_counts_as_exact() -> None:
    estimate = solve_network(["a", "b", "a"], ["b", "c", "c"], [1.0, 1.0, 3.0], [1e-170, 0.1, 0.1])

    assert codes(estimate)["exact-edges"].edges == (0,)
    np.testing.assert_allclose(estimate.value_kcal_mol[1] - estimate.value_kcal_mol[0], 1.0, rtol=1e-14)
    np.testing.assert_allclose(estimate.value_kcal_mol[2] - estimate.value_kcal_mol[0], 2.5, rtol=1e-14)


# --- shape of the network --------------------------------------------------------------------------------


def test_reverse_edge_counts_as_a_second_measurement() -> None:
    # cinnabar 0.2.3 gives -1, +1 and 0.05 here.
    estimate = solve_network(["a", "b"], ["b", "a"], [1.0, -1.0], [0.1, 0.1])

    np.testing.assert_allclose(estimate.value_kcal_mol, [-0.5, 0.5], rtol=1e-14)
    np.testing.assert_allclose(estimate.uncertainty_kcal_mol, 0.05 / np.sqrt(2), rtol=1e-14)
    assert codes(estimate)["parallel-edges"].edges == (0, 1)
    assert "1 of them reversed" in codes(estimate)["parallel-edges"].message


def test_self_loops_change_nothing_and_are_noted() -> None:
    estimate = solve_network(["a", "b", "a"], ["b", "b", "c"], [1.0, 0.4, 2.0], [0.1, 0.1, 0.1])
    without = solve_network(["a", "a"], ["b", "c"], [1.0, 2.0], [0.1, 0.1])

    np.testing.assert_array_equal(estimate.value_kcal_mol, without.value_kcal_mol)
    assert codes(estimate)["self-loops"].edges == (1,)
    assert estimate.residual_kcal_mol[1] == 0.4
    assert estimate.components[0].n_edges == 2
    assert estimate.components[0].chi2 == pytest.approx(0.0, abs=1e-20)


def test_components_are_estimated_each_by_itself() -> None:
    estimate = solve_network(["a", "x", "y"], ["b", "y", "z"], [2.0, 1.0, 1.0], [0.5, 0.1, 0.1])
    alone = solve_network(["x", "y"], ["y", "z"], [1.0, 1.0], [0.1, 0.1])

    assert estimate.nodes == ("a", "b", "x", "y", "z")
    assert estimate.component.tolist() == [0, 0, 1, 1, 1]
    assert [c.n_nodes for c in estimate.components] == [2, 3]
    np.testing.assert_allclose(estimate.value_kcal_mol, [-1, 1, -1, 0, 1], atol=1e-15)
    assert estimate.covariance is not None
    assert alone.covariance is not None
    np.testing.assert_array_equal(estimate.covariance[2:, 2:], alone.covariance)
    np.testing.assert_array_equal(estimate.covariance[:2, 2:], 0.0)
    assert "2 components" in codes(estimate)["disconnected"].message


def test_isolated_nodes_are_reported_without_a_value() -> None:
    estimate = solve_network(["a", "c"], ["b", "c"], [1.0, 0.3], [0.1, 0.1], nodes=["z", "b", "a"])

    assert estimate.nodes == ("z", "b", "a", "c")
    assert np.isnan(estimate.value_kcal_mol[[0, 3]]).all()
    assert np.isnan(estimate.uncertainty_kcal_mol[[0, 3]]).all()
    np.testing.assert_allclose(estimate.value_kcal_mol[1:3], [0.5, -0.5])
    assert estimate.covariance is not None
    assert np.isnan(np.diag(estimate.covariance)).tolist() == [True, False, False, True]
    assert codes(estimate)["isolated-nodes"].nodes == ("z", "c")
    assert "disconnected" not in codes(estimate)
    assert [c.degrees_of_freedom for c in estimate.components] == [0, 0, 0]


def test_one_isolated_node_alone() -> None:
    estimate = solve_network([], [], [], [], nodes=["a"])

    assert np.isnan(estimate.value_kcal_mol).all()
    np.testing.assert_array_equal(estimate.covariance, [[np.nan]])


def test_an_empty_network_is_an_empty_estimate() -> None:
    estimate = solve_network([], [], [], [])

    assert estimate.nodes == ()
    assert estimate.value_kcal_mol.shape == (0,)
    assert estimate.covariance is not None
    assert estimate.covariance.shape == (0, 0)
    assert estimate.components == ()


def test_a_long_chain_and_a_large_star_stay_cheap() -> None:
    n = 3000
    chain = solve_network(list(range(n)), list(range(1, n + 1)), np.ones(n), np.full(n, 0.1), covariance=False)
    star = solve_network([0] * n, list(range(1, n + 1)), np.ones(n), np.full(n, 0.1), covariance=False)

    np.testing.assert_allclose(np.diff(chain.value_kcal_mol), 1.0, rtol=1e-9)
    np.testing.assert_allclose(chain.uncertainty_kcal_mol[0] ** 2, 0.01 * n * (2 * n + 1) / (6 * (n + 1)), rtol=1e-9)
    np.testing.assert_allclose(star.uncertainty_kcal_mol[0] ** 2, 0.01 * n / (n + 1) ** 2, rtol=1e-9)


# --- covariance on demand -----------------------------------------------------------------------------


@pytest.mark.parametrize(("n_nodes", "n_edges"), [(20, 40), (150, 220), (300, 1200)])
def test_uncertainties_do_not_need_the_covariance(n_nodes: int, n_edges: int) -> None:
    edges = random_network(2, n_nodes, n_edges)

    estimate, without = solve(edges), solve(edges, covariance=False)

    assert without.covariance is None
    assert "covariance-omitted" not in codes(without)
    np.testing.assert_array_equal(without.value_kcal_mol, estimate.value_kcal_mol)
    np.testing.assert_allclose(without.uncertainty_kcal_mol, estimate.uncertainty_kcal_mol, rtol=1e-10)


def test_covariance_of_too_many_nodes_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_mle, "MAX_COVARIANCE_NODES", 5)

    estimate = solve(random_network(2, 6, 8))

    assert estimate.covariance is None
    assert "covariance-omitted" in codes(estimate)
    assert np.isfinite(estimate.uncertainty_kcal_mol).all()


# --- differences of uncertainties many decades apart ---


@given(networks(decades=30.0))
def test_every_pair_keeps_its_digits_over_thirty_decades(edges: Edges) -> None:
    estimate = solve(edges)
    _, variance = exact_solution(edges.n_nodes, edges.tail, edges.head, edges.value, edges.sd, as_differences=True)

    pairs = [(a, b) for a in range(edges.n_nodes) for b in range(a)]
    found = estimate.difference([(f"lig{a}", f"lig{b}") for a, b in pairs]).uncertainty_kcal_mol

    np.testing.assert_allclose(found, [np.sqrt(variance[a, b]) for a, b in pairs], rtol=1e-13)


def test_a_pair_beside_a_far_weaker_edge_keeps_its_digits() -> None:
    # 0.6 % off if what arrives from both ends of the strong edge is subtracted
    estimate = solve_network(["a", "b", "c", "a"], ["b", "c", "d", "d"], [1.0] * 4, [1e-4, 1.0, 1e11, 1e11])

    expected = 1e-4 / np.sqrt(1.0 + 1e-8 / (1.0 + 2e22))
    assert estimate.difference([("a", "b")]).uncertainty_kcal_mol[0] == pytest.approx(expected, rel=1e-14)


# --- differences and contrasts -------------------------------------------------------------------------


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("n_nodes", "n_edges"), [(12, 20), (150, 300)])
def test_every_edge_and_any_pair_has_the_variance_the_covariance_says(n_nodes: int, n_edges: int, full: bool) -> None:
    edges = random_network(6, n_nodes, n_edges)
    sd = edges.sd.copy()
    sd[:3] = 0.0
    edges = Edges(n_nodes, edges.tail, edges.head, edges.value, sd, edges.truth)
    matrix = solve(edges).covariance
    assert matrix is not None
    squared = np.diag(matrix)[:, None] + np.diag(matrix)[None, :] - 2 * matrix

    estimate = solve(edges, covariance=full)
    pairs = [(f"lig{a}", f"lig{b}") for a, b in ((0, n_nodes - 1), (3, 2), (5, 5))]
    found = estimate.difference(pairs)

    np.testing.assert_allclose(estimate.edge_variance_kcal2_mol2, squared[edges.tail, edges.head], atol=1e-12)
    np.testing.assert_array_equal(estimate.edge_variance_kcal2_mol2[:3], 0.0)
    assert (estimate.edge_variance_kcal2_mol2 <= sd**2 * (1 + 1e-12)).all()
    values = estimate.value_kcal_mol
    np.testing.assert_allclose(found.value_kcal_mol, [values[-1] - values[0], values[2] - values[3], 0.0])
    expected = np.sqrt([squared[0, -1], squared[3, 2], 0.0])
    np.testing.assert_allclose(found.uncertainty_kcal_mol, expected, atol=1e-8)


def test_any_contrast_has_the_variance_the_covariance_says() -> None:
    edges = random_network(6, 90, 160)
    estimate = solve(edges)
    coefficients = np.random.default_rng(3).normal(size=(100, 90))
    coefficients -= coefficients.mean(axis=1, keepdims=True)

    found = estimate.contrast([dict(zip(edges.nodes(), row, strict=True)) for row in coefficients.tolist()])

    np.testing.assert_allclose(found.value_kcal_mol, coefficients @ estimate.value_kcal_mol, rtol=1e-10)
    expected = np.sqrt(np.einsum("ki,ij,kj->k", coefficients, estimate.covariance, coefficients))
    np.testing.assert_allclose(found.uncertainty_kcal_mol, expected, rtol=1e-10)


def test_the_variance_of_a_tree_edge_is_its_own() -> None:
    estimate = solve_network(["a", "b", "c", "d"], ["b", "c", "d", "d"], [1.0, 2.0, 0.5, 0.3], [1e-9, 0.3, 2.0, 0.1])

    np.testing.assert_allclose(estimate.edge_variance_kcal2_mol2, [1e-18, 0.09, 4.0, 0.0], rtol=1e-12)
    found = estimate.difference([("a", "d"), ("b", "a")])
    np.testing.assert_allclose(found.uncertainty_kcal_mol, [np.sqrt(1e-18 + 0.09 + 4.0), 1e-9], rtol=1e-12)


# --- invariants --------------------------------------------------------------------------------------------


@given(networks())
def test_gauge_is_mean_zero_and_covariance_knows_it(edges: Edges) -> None:
    estimate = solve(edges)

    assert estimate.covariance is not None
    size = np.abs(edges.value).max() + 1.0
    assert abs(estimate.value_kcal_mol.sum()) < 1e-12 * size * edges.n_nodes
    np.testing.assert_allclose(estimate.covariance.sum(axis=0), 0.0, atol=1e-12 * estimate.covariance.max())
    np.testing.assert_array_equal(estimate.covariance, estimate.covariance.T)


@given(networks())
def test_weighted_residuals_balance_at_every_node(edges: Edges) -> None:
    # The gradient of the likelihood: what defines the maximum.
    estimate = solve(edges)
    pull = estimate.residual_kcal_mol / edges.sd**2

    net = np.bincount(edges.head, pull, edges.n_nodes) - np.bincount(edges.tail, pull, edges.n_nodes)

    np.testing.assert_allclose(net, 0.0, atol=1e-9 * (1 / edges.sd**2).max())


@given(networks(), st.randoms(use_true_random=False))
def test_order_of_edges_does_not_matter(edges: Edges, random: object) -> None:
    order = np.arange(len(edges.sd))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = Edges(
        edges.n_nodes, edges.tail[order], edges.head[order], edges.value[order], edges.sd[order], edges.truth
    )

    one, other = solve(edges), solve(shuffled)

    np.testing.assert_allclose(other.value_kcal_mol, one.value_kcal_mol, atol=1e-11)
    np.testing.assert_allclose(other.covariance, one.covariance, atol=1e-12)  # type: ignore[arg-type]
    np.testing.assert_allclose(other.residual_kcal_mol, one.residual_kcal_mol[order], atol=1e-11)


@given(networks(), st.data())
def test_a_turned_edge_with_its_sign_is_the_same_edge(edges: Edges, data: st.DataObject) -> None:
    turned = np.array(data.draw(st.lists(st.booleans(), min_size=len(edges.sd), max_size=len(edges.sd))))
    other = Edges(
        edges.n_nodes,
        np.where(turned, edges.head, edges.tail),
        np.where(turned, edges.tail, edges.head),
        np.where(turned, -edges.value, edges.value),
        edges.sd,
        edges.truth,
    )

    np.testing.assert_allclose(solve(other).value_kcal_mol, solve(edges).value_kcal_mol, atol=1e-11)
    np.testing.assert_allclose(solve(other).covariance, solve(edges).covariance, atol=1e-12)  # type: ignore[arg-type]


@given(networks(), st.floats(-5, 5), st.floats(0.01, 2.0))
def test_parallel_edges_are_their_weighted_mean(edges: Edges, value: float, sd: float) -> None:
    a, b = edges.tail[0], edges.head[0]
    first = (edges.tail == a) & (edges.head == b)
    both = Edges(
        edges.n_nodes,
        np.append(edges.tail, a),
        np.append(edges.head, b),
        np.append(edges.value, value),
        np.append(edges.sd, sd),
        edges.truth,
    )
    weights = np.append(edges.sd[first], sd) ** -2.0
    merged = Edges(
        edges.n_nodes,
        np.append(edges.tail[~first], a),
        np.append(edges.head[~first], b),
        np.append(edges.value[~first], weights @ np.append(edges.value[first], value) / weights.sum()),
        np.append(edges.sd[~first], weights.sum() ** -0.5),
        edges.truth,
    )

    np.testing.assert_allclose(solve(both).value_kcal_mol, solve(merged).value_kcal_mol, atol=1e-10)
    np.testing.assert_allclose(solve(both).covariance, solve(merged).covariance, atol=1e-12)  # type: ignore[arg-type]


@given(networks(), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_scaling_values_and_uncertainties_scales_the_answer(edges: Edges, scale: float, spread: float) -> None:
    scaled = Edges(edges.n_nodes, edges.tail, edges.head, scale * edges.value, spread * edges.sd, edges.truth)

    one, other = solve(edges), solve(scaled)

    size = np.abs(one.value_kcal_mol).max() + np.abs(edges.value).max()
    np.testing.assert_allclose(other.value_kcal_mol, scale * one.value_kcal_mol, atol=1e-12 * scale * size)
    np.testing.assert_allclose(other.uncertainty_kcal_mol, spread * one.uncertainty_kcal_mol, rtol=1e-10)


@given(networks(decades=8.0))
def test_consistent_edges_are_met_whatever_their_uncertainties(edges: Edges) -> None:
    value = edges.truth[edges.head] - edges.truth[edges.tail]
    estimate = solve(Edges(edges.n_nodes, edges.tail, edges.head, value, edges.sd, edges.truth))

    np.testing.assert_allclose(estimate.value_kcal_mol, edges.truth - edges.truth.mean(), atol=1e-12)
