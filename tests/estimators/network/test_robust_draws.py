"""Spreads over the posterior of heavy-tailed edges, compared with integrals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from alchemiscale_lake.estimators.network import robust_draws
from alchemiscale_lake.estimators.network.robust_draws import spread_around
from tests.estimators.networks import random_network


def test_with_many_degrees_of_freedom_the_spread_is_covariance_and_shift() -> None:
    edges = random_network(2, 9, 20)
    incidence = np.zeros((20, 9))
    incidence[np.arange(20), edges.head] += 1.0
    incidence[np.arange(20), edges.tail] -= 1.0
    incidence = incidence[:, :-1]
    weighted = incidence / edges.sd[:, None] ** 2
    covariance = np.linalg.inv(incidence.T @ weighted)
    best = np.append(covariance @ weighted.T @ edges.value, 0.0)
    shift = np.array([0.5, 0.0, -0.2, 0.0, 0.0, 0.0, 0.0, 0.1, 0.0])

    found = spread_around(best - shift, edges.tail, edges.head, edges.value, edges.sd, 1e12)

    np.testing.assert_allclose(found[:-1, :-1], covariance + np.outer(shift[:-1], shift[:-1]), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found[-1], 0.0)
    np.testing.assert_array_equal(found[:, -1], 0.0)


@pytest.mark.parametrize("freedom", [2.5, 4.0])
@pytest.mark.parametrize("value", [[1.0, 1.3, 0.8], [0.0, 0.1, 1.0], [0.0, 0.1, 7.0], [0.0, 0.0, 30.0]])
def test_repeated_measurements_have_the_spread_of_the_integral(freedom: float, value: list[float]) -> None:
    sd, ends = np.array([0.3, 0.4, 0.3]), (np.zeros(3, dtype=np.int64), np.ones(3, dtype=np.int64))
    at = np.linspace(-40, 40, 160_001)
    density = np.exp(stats.t.logpdf(np.array(value)[:, None], freedom, at, sd[:, None]).sum(axis=0))
    expected = float(density @ (at - 0.5) ** 2 / density.sum())

    found = spread_around(np.array([0.0, 0.5]), *ends, np.array(value), sd, freedom)

    # the second node is the gauge; 64 chains of 30 steps are within a seventh
    assert found[0, 0] == pytest.approx(expected, rel=0.15)


def test_two_answers_are_as_probable_as_their_edges_say(monkeypatch: pytest.MonkeyPatch) -> None:
    # two edges are at 0 and two at 10
    sd, ends = np.full(4, 0.2), (np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.int64))
    value = np.array([0.0, 0.0, 10.0, 10.0])

    found = []
    for seed in range(8):
        monkeypatch.setattr(robust_draws, "_SEED", seed)
        found.append(spread_around(np.zeros(2), *ends, value, sd, 4.0)[0, 0])

    # half of them at 10, where the square is 100; 64 chains scatter by 9
    assert np.mean(found) == pytest.approx(50.0, abs=10.0)


def test_directions_of_edges_and_common_shifts_do_not_matter() -> None:
    edges = random_network(5, 6, 10)
    centre = edges.truth

    one = spread_around(centre, edges.tail, edges.head, edges.value, edges.sd, 4.0)
    turned = spread_around(centre + 7.0, edges.head, edges.tail, -edges.value, edges.sd, 4.0)

    np.testing.assert_allclose(turned, one, rtol=1e-9)
    np.testing.assert_allclose(one, one.T)
    assert np.linalg.eigvalsh(one[:-1, :-1]).min() > 0


def test_units_scale_the_spread() -> None:
    edges = random_network(5, 6, 10)

    one = spread_around(edges.truth, edges.tail, edges.head, edges.value, edges.sd, 4.0)
    other = spread_around(3 * edges.truth, edges.tail, edges.head, 3 * edges.value, 3 * edges.sd, 4.0)

    np.testing.assert_allclose(other, 9 * one, rtol=1e-9)


def test_one_node_has_no_spread() -> None:
    nothing = np.zeros(0, dtype=np.int64)

    assert spread_around(np.array([3.0]), nothing, nothing, np.zeros(0), np.zeros(0), 4.0).tolist() == [[0.0]]
