"""Solved components: values, variances on demand, rigid groups and blocks of contrasts."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.network import network_solution
from alchemiscale_lake.estimators.network.network_input import read_network
from alchemiscale_lake.estimators.network.network_solution import NetworkSolution, solve_components
from alchemiscale_lake.estimators.network.partition import label_components
from tests.estimators.networks import Edges, random_network


def solved(edges: Edges, *, full: bool = True, only_values: bool = False) -> NetworkSolution:
    network = read_network(edges.tail.tolist(), edges.head.tolist(), edges.value, edges.sd, range(edges.n_nodes))
    component = label_components(edges.n_nodes, network.tail, network.head)
    return solve_components(network, component, full=full, only_values=only_values)


def three_parts() -> Edges:
    """Return a network of a random part of 12 nodes with rigid ties, a rigid pair, and a lone node."""
    some = random_network(4, 12, 24)
    sd = some.sd.copy()
    sd[:3] = 0.0
    return Edges(
        15,
        np.append(some.tail, 13),
        np.append(some.head, 14),
        np.append(some.value, 2.0),
        np.append(sd, 0.0),
        np.zeros(15),
    )


@pytest.fixture(scope="module")
def parts() -> NetworkSolution:
    return solved(three_parts())


@pytest.fixture(scope="module")
def covariance(parts: NetworkSolution) -> np.ndarray:
    assert parts.covariance is not None
    return parts.covariance


def test_values_have_mean_zero_per_component_and_a_lone_node_has_none(parts: NetworkSolution) -> None:
    assert parts.value[:12].mean() == pytest.approx(0.0, abs=1e-14)
    assert parts.value[13:].tolist() == [-1.0, 1.0]
    assert np.isnan(parts.value[12])
    assert np.isnan(parts.variance[12])
    np.testing.assert_array_equal(parts.variance[13:], 0.0)


def test_the_covariance_is_that_of_the_pseudo_inverse() -> None:
    edges = random_network(4, 12, 24)
    laplacian = np.zeros((12, 12))
    for a, b, sd in zip(edges.tail, edges.head, edges.sd, strict=True):
        laplacian[[a, b], [a, b]] += sd**-2
        laplacian[[a, b], [b, a]] -= sd**-2

    found = solved(edges)

    np.testing.assert_allclose(found.covariance, np.linalg.pinv(laplacian), atol=1e-12)
    np.testing.assert_allclose(found.variance, np.diag(np.linalg.pinv(laplacian)), rtol=1e-10)


def test_components_do_not_covary(covariance: np.ndarray) -> None:
    home = np.repeat([0, 1, 2], [12, 1, 2])

    np.testing.assert_array_equal(covariance[home[:, None] != home], 0.0)
    assert np.isnan(covariance[12, 12])
    np.testing.assert_allclose(covariance[:12, :12].sum(axis=0), 0.0, atol=1e-14)


def test_a_part_multiplies_by_its_covariance(parts: NetworkSolution, covariance: np.ndarray) -> None:
    columns = np.random.default_rng(0).normal(size=(12, 5))

    found = parts.parts[0].covariance_times(columns)

    np.testing.assert_allclose(found, covariance[:12, :12] @ columns, atol=1e-13)
    np.testing.assert_array_equal(parts.parts[2].covariance_times(np.ones((2, 3))), np.zeros((2, 3)))


def test_pairs_have_the_variance_of_the_covariance_and_none_across_components(
    parts: NetworkSolution, covariance: np.ndarray
) -> None:
    tail, head = np.array([0, 5, 13, 0, 12, 12, 3]), np.array([11, 2, 14, 13, 0, 12, 3])

    found = parts.pair_variances(tail, head)

    squared = np.diag(covariance)[:, None] + np.diag(covariance) - 2 * covariance
    expected = [squared[0, 11], squared[5, 2], 0.0, np.nan, np.nan, np.nan, 0.0]
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("block", [1, 2, 64])
def test_contrasts_in_any_order_and_in_blocks(
    monkeypatch: pytest.MonkeyPatch, parts: NetworkSolution, covariance: np.ndarray, block: int
) -> None:
    monkeypatch.setattr(network_solution, "_COLUMNS", block)
    coefficients = np.zeros((6, 15))
    coefficients[:4, :12] = np.random.default_rng(1).normal(size=(4, 12))
    coefficients[:4, :12] -= coefficients[:4, :12].mean(axis=1, keepdims=True)
    coefficients[3, 13:] = 2.0, -2.0
    coefficients[5, 12] = 1.0  # the contrast before is empty
    column, node = np.nonzero(coefficients)
    shuffled = np.random.default_rng(2).permutation(len(column))
    column, node = column[shuffled], node[shuffled]

    found = parts.contrast_variances(column, node, coefficients[column, node], 6)

    expected = np.einsum("ki,ij,kj->k", coefficients[:4, :12], covariance[:12, :12], coefficients[:4, :12])
    np.testing.assert_allclose(found, [*expected, 0.0, np.nan], rtol=1e-10)


def test_a_lone_node_without_weight_spoils_no_contrast(parts: NetworkSolution) -> None:
    entries = np.array([0, 0, 0]), np.array([0, 1, 12]), np.array([1.0, -1.0, 0.0])

    expected = parts.pair_variances(np.array([0]), np.array([1]))
    np.testing.assert_allclose(parts.contrast_variances(*entries, 1), expected)


@pytest.mark.parametrize("only_values", [True, False])
def test_without_a_covariance_the_rest_is_the_same(parts: NetworkSolution, only_values: bool) -> None:
    found = solved(three_parts(), full=False, only_values=only_values)

    assert found.covariance is None
    np.testing.assert_array_equal(found.value, parts.value)
    inside = slice(0, 12)
    if only_values:
        assert np.isnan(found.variance[inside]).all()
        assert np.isnan(found.edge_variance[:-1]).all()
    else:
        np.testing.assert_allclose(found.variance, parts.variance, rtol=1e-9)
        np.testing.assert_allclose(found.edge_variance, parts.edge_variance, rtol=1e-9)
    np.testing.assert_allclose(
        found.pair_variances(np.array([0]), np.array([5])), parts.pair_variances(np.array([0]), np.array([5]))
    )


def test_edges_within_a_rigid_group_have_no_variance(parts: NetworkSolution, covariance: np.ndarray) -> None:
    edges = three_parts()
    squared = np.diag(covariance)[:, None] + np.diag(covariance) - 2 * covariance

    np.testing.assert_array_equal(parts.edge_variance[[0, 1, 2, -1]], 0.0)
    np.testing.assert_allclose(parts.edge_variance, squared[edges.tail, edges.head], atol=1e-13)
    met = parts.value[edges.head] - parts.value[edges.tail] - edges.value
    np.testing.assert_allclose(met[edges.sd == 0], 0.0, atol=1e-13)


def test_no_nodes_are_an_empty_solution() -> None:
    nothing = np.zeros(0)
    empty = Edges(0, nothing.astype(np.int64), nothing.astype(np.int64), nothing, nothing, nothing)

    found = solved(empty)

    assert found.parts == ()
    assert found.covariance is not None
    assert found.covariance.shape == (0, 0)
