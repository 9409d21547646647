"""Small networks solved directly: the same numbers as elimination, or none."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.laplacian.dense_solution import solve_dense
from alchemiscale_lake.estimators.laplacian.elimination import eliminate
from tests.estimators.networks import random_network


@pytest.mark.parametrize(("n_nodes", "n_edges"), [(2, 1), (12, 20), (250, 249), (300, 900)])
def test_it_equals_elimination(n_nodes: int, n_edges: int) -> None:
    edges = random_network(7, n_nodes, n_edges)
    graph = (n_nodes, edges.tail, edges.head, edges.sd**-2.0, edges.value)

    direct, eliminated = solve_dense(*graph), eliminate(*graph)

    assert direct is not None
    one, other = direct.potentials(), eliminated.potentials()
    np.testing.assert_allclose(one - one[0], other - other[0], atol=1e-11)
    expected = eliminated.resistances()
    np.testing.assert_allclose(direct.resistances(), expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(
        direct.variances(edges.tail, edges.head)[1], expected[edges.tail, edges.head], rtol=1e-11
    )
    column = np.zeros((n_nodes, 1))
    column[[0, -1], 0] = 1.0, -1.0
    np.testing.assert_allclose(direct.contrast_variances(column), [expected[0, -1]], rtol=1e-11)


def test_networks_that_would_lose_digits_are_left_to_elimination() -> None:
    chain = np.arange(299)
    graph = (300, chain, chain + 1, np.ones(299), np.zeros(299))
    apart = np.where(chain == 0, 1e5, 1.0)
    # a strong group far from the reference: each weight is within the limit, their product is not
    far = np.where(chain < 290, 9e3, 1.0)

    assert solve_dense(*graph) is not None
    assert solve_dense(300, chain, chain + 1, apart, np.zeros(299)) is None
    assert solve_dense(300, chain, chain + 1, far, np.zeros(299)) is None
    assert solve_dense(301, np.arange(300), np.arange(1, 301), np.ones(300), np.zeros(300)) is None
