"""Redundant edges: gains are those of a network solved again, bridges are covered first, parts are joined before."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from alchemiscale_lake.estimators import solve_network
from alchemiscale_lake.estimators.design.redundancy import redundant_edges
from alchemiscale_lake.estimators.errors import EstimatorInputError

CHAIN = [(0, 1), (1, 2), (2, 3), (3, 4)]


def propose(n: int, edges: list[tuple[int, int]], variance: list[float], *, most: int = 1, new: float = 0.04):  # type: ignore[no-untyped-def]
    candidates = [pair for pair in itertools.combinations(range(n), 2) if pair not in edges]
    found = redundant_edges(
        n,
        *zip(*edges, strict=True),
        variance,
        candidate_tail=[a for a, _ in candidates],
        candidate_head=[b for _, b in candidates],
        candidate_variance=[new] * len(candidates),
        most=most,
    )
    return [(candidates[edge.candidate], edge) for edge in found]


def mean_uncertainty(edges: list[tuple[int, int]], variance: list[float]) -> float:
    a, b = zip(*edges, strict=True)
    found = solve_network(a, b, np.zeros(len(a)), np.sqrt(variance))
    return float(np.sqrt(np.mean(found.uncertainty_kcal_mol**2)))


def test_the_uncertainty_after_is_that_of_the_network_with_the_edge() -> None:
    variance = [0.01, 0.09, 0.04, 0.02]
    ((pair, edge),) = propose(5, CHAIN, variance)
    assert edge.mean_before == pytest.approx(mean_uncertainty(CHAIN, variance))
    assert edge.mean_after == pytest.approx(mean_uncertainty([*CHAIN, pair], [*variance, 0.04]))
    every = [p for p in itertools.combinations(range(5), 2) if p not in CHAIN]
    best = min(every, key=lambda p: mean_uncertainty([*CHAIN, p], [*variance, 0.04]))
    assert pair == best


def test_bridges_are_covered_before_certainty_is_added() -> None:
    # a square with large variances, and a certain tail: only pairs with the tail's end cover the bridge
    edges = [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)]
    found = propose(5, edges, [1.0, 1.0, 1.0, 1.0, 0.001], most=2)
    assert 4 in found[0][0]
    assert [edge.n_bridges for _, edge in found] == [1, 0]
    # of the rest, the one that adds most
    assert found[1][1].mean_after < found[0][1].mean_after


def test_the_number_of_bridges_is_that_between_the_ends() -> None:
    # two triangles joined by a path of two edges
    edges = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (5, 6), (4, 6)]
    for (a, b), edge in propose(7, edges, [0.04] * 8):
        assert {a < 3, b > 3} == {True}
        assert edge.n_bridges == 2


def test_parts_are_joined_first() -> None:
    found = propose(5, [(0, 1), (1, 2), (3, 4)], [0.01] * 3, most=2)
    assert [edge.joins for _, edge in found] == [True, False]
    assert found[1][1].n_bridges > 0


def test_nothing_is_left_to_propose_in_a_complete_graph_and_variances_are_positive() -> None:
    every = list(itertools.combinations(range(4), 2))
    assert propose(4, every, [0.1] * 6) == []
    with pytest.raises(EstimatorInputError, match="positive variances"):
        propose(3, [(0, 1)], [0.0])
