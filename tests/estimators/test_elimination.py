from __future__ import annotations

import numpy as np
import pytest

from estimators import dense_core, elimination
from estimators.elimination import eliminate
from tests.estimators.networks import random_network


@pytest.mark.parametrize("filled", [2, 6, 1000])
@pytest.mark.parametrize("block", [1, 5, 64])
def test_any_share_of_sparse_and_dense_gives_the_same(monkeypatch: pytest.MonkeyPatch, filled: int, block: int) -> None:
    edges = random_network(9, 130, 260, decades=6.0)
    weight = edges.sd**-2.0
    monkeypatch.setattr(elimination, "_SMALL", 1)
    monkeypatch.setattr(elimination, "_FILLED_DEGREE", filled)
    monkeypatch.setattr(dense_core, "_BLOCK", block)
    reference = _all_dense(edges.n_nodes, edges.tail, edges.head, weight, edges.value)

    solved = eliminate(edges.n_nodes, edges.tail, edges.head, weight, edges.value)

    centred = np.eye(130) - 1 / 130
    covariance = centred @ solved.covariance() @ centred
    np.testing.assert_allclose(covariance, centred @ reference[1] @ centred, atol=1e-11)
    potentials = solved.potentials()
    np.testing.assert_allclose(potentials - potentials.mean(), reference[0] - reference[0].mean(), atol=1e-10)
    np.testing.assert_allclose(solved.variances(), np.diag(solved.covariance()), rtol=1e-12)
    vector = np.random.default_rng(0).normal(size=130)
    np.testing.assert_allclose(solved.covariance_times(vector), solved.covariance() @ vector, atol=1e-11)


def _all_dense(
    n_nodes: int, tail: np.ndarray, head: np.ndarray, weight: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Potentials and covariance from one dense core."""
    weights, moments = np.zeros((n_nodes, n_nodes)), np.zeros((n_nodes, n_nodes))
    np.add.at(weights, (tail, head), weight)
    np.add.at(moments, (tail, head), weight * value)
    core = dense_core.eliminate_dense(weights + weights.T, moments - moments.T)
    return core.back_substitute(-core.offset), core.covariance()


def test_grounded_covariance_is_never_negative() -> None:
    edges = random_network(4, 90, 200, decades=10.0)

    solved = eliminate(90, edges.tail, edges.head, edges.sd**-2.0, edges.value)

    assert solved.covariance().min() >= 0.0
    assert solved.covariance()[solved.core_nodes[-1]].max() == 0.0


def test_one_node_needs_no_edges() -> None:
    nothing = np.array([], dtype=np.int64)

    solved = eliminate(1, nothing, nothing, np.array([]), np.array([]))

    assert solved.potentials().tolist() == [0.0]
    assert solved.covariance().tolist() == [[0.0]]
    assert solved.variances().tolist() == [0.0]
