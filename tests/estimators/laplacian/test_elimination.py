from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.laplacian import dense_core, elimination, ordering, stars
from alchemiscale_lake.estimators.laplacian.elimination import eliminate
from tests.estimators.networks import random_network


@pytest.mark.parametrize("most_rays", [0, 3, 8])
@pytest.mark.parametrize(("leaf", "block"), [(1, 1), (2, 5), (3, 64)])
@pytest.mark.parametrize("small_front", [1, 24])
@pytest.mark.parametrize("decades", [2.0, 6.0])
def test_any_share_of_stars_and_fronts_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, most_rays: int, leaf: int, block: int, small_front: int, decades: float
) -> None:
    edges = random_network(9, 130, 260, decades=decades)
    weight = edges.sd**-2.0
    monkeypatch.setattr(stars, "_MOST_RAYS", most_rays)
    monkeypatch.setattr(stars, "_SMALL", 1)
    monkeypatch.setattr(ordering, "_SMALL", 1)
    monkeypatch.setattr(ordering, "_SMALL_FRONT", small_front)
    monkeypatch.setattr(dense_core, "_LEAF", leaf)
    monkeypatch.setattr(dense_core, "_BLOCK", block)
    reference = _all_dense(edges.n_nodes, edges.tail, edges.head, weight, edges.value)

    solved = eliminate(edges.n_nodes, edges.tail, edges.head, weight, edges.value)

    centred = np.eye(130) - 1 / 130
    covariance = -0.5 * centred @ solved.resistances() @ centred
    np.testing.assert_allclose(covariance, -0.5 * centred @ reference[1] @ centred, atol=1e-11)
    potentials = solved.potentials()
    np.testing.assert_allclose(potentials - potentials.mean(), reference[0] - reference[0].mean(), atol=1e-10)
    resistances = solved.resistances()
    grounded, along = solved.variances(edges.tail, edges.head)
    ground = solved.core.plan.order[-1]
    np.testing.assert_allclose(grounded, resistances[ground], rtol=1e-12)
    np.testing.assert_allclose(along, resistances[edges.tail, edges.head], rtol=1e-12)
    np.testing.assert_allclose(along, reference[1][edges.tail, edges.head], rtol=1e-11)
    vector = np.random.default_rng(0).normal(size=130)
    by_hand = 0.5 * (np.add.outer(resistances[ground], resistances[ground]) - resistances) @ vector
    np.testing.assert_allclose(solved.covariance_times(vector[:, None])[:, 0], by_hand, atol=1e-11)
    columns = np.random.default_rng(1).normal(size=(130, 7))
    columns -= columns.mean(axis=0)
    expected = -0.5 * (columns * (resistances @ columns)).sum(axis=0)
    np.testing.assert_allclose(solved.contrast_variances(columns), expected, rtol=1e-9)


def _all_dense(
    n_nodes: int, tail: np.ndarray, head: np.ndarray, weight: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Potentials and covariance from one dense core."""
    weights, moments = np.zeros((n_nodes, n_nodes)), np.zeros((n_nodes, n_nodes))
    np.add.at(weights, (tail, head), weight)
    np.add.at(moments, (tail, head), weight * value)
    front, _, _ = dense_core.eliminate_front(weights + weights.T, moments - moments.T, n_nodes - 1)
    assert front.offset is not None
    potentials = front.back_substitute(-front.offset[:, None], np.zeros((1, 1)))[:, 0]
    return np.append(potentials, 0.0), front.resistances(np.zeros((1, 1)), np.zeros(1))[0]


def test_variances_of_differences_are_distances() -> None:
    edges = random_network(4, 90, 200, decades=10.0)

    resistances = eliminate(90, edges.tail, edges.head, edges.sd**-2.0, edges.value).resistances()

    assert resistances.min() >= 0.0
    np.testing.assert_array_equal(np.diag(resistances), 0.0)
    # Resistances obey the triangle inequality, and no edge can be worse than itself.
    through = (resistances[:, :, None] + resistances[None, :, :]).min(axis=1)
    assert (resistances <= through * (1 + 1e-9)).all()
    assert (resistances[edges.tail, edges.head] <= edges.sd**2 * (1 + 1e-9)).all()


@pytest.mark.parametrize("most_paired", [20_000, 10])
def test_pairs_are_solved_one_by_one_or_all_at_once(monkeypatch: pytest.MonkeyPatch, most_paired: int) -> None:
    edges = random_network(5, 400, 700)
    solved = eliminate(400, edges.tail, edges.head, edges.sd**-2.0, edges.value)
    every = solved.resistances()
    one, other = np.random.default_rng(0).integers(400, size=(2, 900))

    monkeypatch.setattr(elimination, "_MOST_PAIRED", most_paired)

    for some in (slice(3), slice(None)):
        expected = every[one[some], other[some]]
        np.testing.assert_allclose(solved.pair_variances(one[some], other[some]), expected, rtol=1e-10)


def test_one_node_needs_no_edges() -> None:
    nothing = np.array([], dtype=np.int64)

    solved = eliminate(1, nothing, nothing, np.array([]), np.array([]))

    assert solved.potentials().tolist() == [0.0]
    assert solved.resistances().tolist() == [[0.0]]
    assert solved.variances(nothing, nothing)[0].tolist() == [0.0]
