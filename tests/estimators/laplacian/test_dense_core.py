"""Elimination of one dense front, compared with matrices."""

from __future__ import annotations

import numpy as np
import pytest

from alchemiscale_lake.estimators.laplacian import dense_core
from alchemiscale_lake.estimators.laplacian.dense_core import Front, eliminate_front

#: Nodes that are eliminated and that remain.
GONE, LEFT = 7, 4


def random_front(seed: int = 0, decades: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and values of all edges between nodes, both right of the diagonal."""
    rng = np.random.default_rng(seed)
    size = GONE + LEFT
    weight = np.triu(10.0 ** rng.uniform(-decades, decades, (size, size)), 1)
    weight[rng.random((size, size)) < 0.3] = 0.0
    weight[:GONE, -1] += 0.01  # each has later neighbours
    return weight, rng.normal(size=(size, size))


def laplacian(weight: np.ndarray) -> np.ndarray:
    both = np.triu(weight, 1) + np.triu(weight, 1).T
    return np.diag(both.sum(axis=1)) - both


@pytest.fixture(params=[(1, 1), (2, 5), (3, 64), (32, 256)], ids=str)
def steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_core, "_LEAF", request.param[0])
    monkeypatch.setattr(dense_core, "_BLOCK", request.param[1])
    monkeypatch.setattr(dense_core, "_ROWS", request.param[1])


def noise_and_transfer(front: Front) -> tuple[np.ndarray, np.ndarray]:
    """Return the square and the rest of a front's transfer, right of the diagonal."""
    return np.triu(front.transfer[:, :GONE], 1), front.transfer[:, GONE:]


@pytest.mark.usefixtures("steps")
def test_what_remains_is_the_schur_complement() -> None:
    weight, value = random_front()
    whole = laplacian(weight)
    moments = np.triu(weight, 1) * value
    pull = moments.sum(axis=0) - moments.sum(axis=1)
    carry = whole[GONE:, :GONE] @ np.linalg.inv(whole[:GONE, :GONE])

    _, remaining, moment = eliminate_front(weight.copy(), moments.copy(), GONE)

    assert moment is not None
    np.testing.assert_allclose(laplacian(remaining), whole[GONE:, GONE:] - carry @ whole[:GONE, GONE:], rtol=1e-12)
    upper = np.triu(moment, 1)
    np.testing.assert_allclose(upper.sum(axis=0) - upper.sum(axis=1), pull[GONE:] - carry @ pull[:GONE], atol=1e-12)


@pytest.mark.usefixtures("steps")
def test_given_the_later_nodes_values_and_variances_are_those_of_the_matrix() -> None:
    weight, value = random_front()
    whole = laplacian(weight)
    moments = np.triu(weight, 1) * value
    pull = moments.sum(axis=0) - moments.sum(axis=1)
    later = np.random.default_rng(1).normal(size=(LEFT, 1))

    front, _, _ = eliminate_front(weight.copy(), moments.copy(), GONE)

    assert front.offset is not None
    expected = np.linalg.solve(whole[:GONE, :GONE], pull[:GONE, None] - whole[:GONE, GONE:] @ later)
    np.testing.assert_allclose(front.back_substitute(-front.offset[:, None], later), expected, rtol=1e-11)
    square, rest = noise_and_transfer(front)
    np.testing.assert_allclose(square.sum(axis=1) + rest.sum(axis=1), 1.0, rtol=1e-13)
    inverse = np.linalg.inv(np.eye(GONE) - square)
    covariance = inverse @ np.diag(front.variance) @ inverse.T
    np.testing.assert_allclose(covariance, np.linalg.inv(whole[:GONE, :GONE]), rtol=1e-11)


@pytest.mark.usefixtures("steps")
def test_forward_substitution_is_the_transpose() -> None:
    weight, _ = random_front(3)
    front, _, _ = eliminate_front(weight, None, GONE)
    rng = np.random.default_rng(2)
    here, right, later = rng.normal(size=(GONE, 2)), rng.normal(size=(GONE, 2)), rng.normal(size=(LEFT, 2))

    to_here, to_later = front.forward_substitute(here)

    assert front.offset is None
    product = (here * front.back_substitute(right, later)).sum(axis=0)
    np.testing.assert_allclose((to_here * right).sum(axis=0) + (to_later * later).sum(axis=0), product, rtol=1e-12)


@pytest.mark.usefixtures("steps")
def test_variances_of_differences_follow_from_those_of_the_later_nodes() -> None:
    weight, _ = random_front(4)
    inverse = np.linalg.pinv(laplacian(weight))
    distance = np.diag(inverse)[:, None] + np.diag(inverse) - 2 * inverse

    front, _, _ = eliminate_front(weight, None, GONE)
    found, grounded = front.resistances(distance[GONE:, GONE:], distance[GONE:, -1])

    np.testing.assert_allclose(found, distance, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(grounded, distance[:, -1], rtol=1e-10, atol=1e-14)


def test_weights_thirty_decades_apart_keep_their_digits() -> None:
    weight = np.array([[0.0, 1e15, 3e-15], [0.0, 0.0, 2e-15], [0.0, 0.0, 0.0]])

    front, remaining, _ = eliminate_front(weight, None, 2)

    # the two strongly tied nodes together are as far from the last as both weights in parallel
    assert front.variance[1] == pytest.approx(1 / 5e-15, rel=1e-14)
    assert front.variance[0] == pytest.approx(1e-15, rel=1e-14)
    distance, grounded = front.resistances(np.zeros((1, 1)), np.zeros(1))
    assert distance[0, 1] == pytest.approx(1e-15, rel=1e-14)
    np.testing.assert_allclose(grounded, [2e14, 2e14, 0.0], rtol=1e-14)
    assert remaining.shape == (1, 1)
