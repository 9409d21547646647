"""Elimination of stars."""

import numpy as np
import pytest

from alchemiscale_lake.estimators.laplacian import stars
from alchemiscale_lake.estimators.laplacian.elimination import eliminate
from tests.estimators.exact import exact_solution
from tests.estimators.networks import random_network


@pytest.mark.parametrize("decades", [12.0, 30.0])
@pytest.mark.parametrize(("n_nodes", "most_rays"), [(24, 8), (90, 8), (90, 0)])
def test_differences_of_strongly_tied_nodes_keep_their_digits(
    monkeypatch: pytest.MonkeyPatch, n_nodes: int, most_rays: int, decades: float
) -> None:
    # Subtracting covariances would leave nothing of a variance of 1e-24 beside one of 1.
    edges = random_network(n_nodes, n_nodes, 2 * n_nodes, decades=decades)
    monkeypatch.setattr(stars, "_MOST_RAYS", most_rays)
    _, covariance = exact_solution(n_nodes, edges.tail, edges.head, edges.value, edges.sd, as_differences=True)

    solved = eliminate(n_nodes, edges.tail, edges.head, edges.sd**-2.0, edges.value)

    expected = covariance[edges.tail, edges.head]
    np.testing.assert_allclose(solved.resistances(), covariance, rtol=1e-13)
    np.testing.assert_allclose(solved.variances(edges.tail, edges.head)[1], expected, rtol=1e-13)
    one, other = np.array([0, 5, 7]), np.array([n_nodes - 1, 5, 11])
    np.testing.assert_allclose(solved.pair_variances(one, other), covariance[one, other], rtol=1e-13)
    if decades > 12.0:
        return
    pairs = np.zeros((n_nodes, len(edges.tail)))
    pairs[edges.tail, np.arange(len(edges.tail))] = 1.0
    pairs[edges.head, np.arange(len(edges.tail))] = -1.0
    np.testing.assert_allclose(solved.contrast_variances(pairs), expected, rtol=1e-9)
