"""A minimal basis of cycles."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.network.cycles import independent_cycles
from tests.estimators.flawed_networks import random_network


@given(st.integers(2, 14), st.integers(0, 25), st.randoms(use_true_random=False))
def test_cycles_are_closed_simple_independent_and_complete(n_nodes: int, n_edges: int, random: object) -> None:
    ends = [(random.randrange(n_nodes), random.randrange(n_nodes)) for _ in range(n_edges)]  # type: ignore[attr-defined]
    tail, head = [a for a, _ in ends], [b for _, b in ends]

    cycles = independent_cycles(n_nodes, tail, head)

    incidence = np.zeros((n_edges, n_nodes))
    for k, (a, b) in enumerate(ends):
        if a != b:
            incidence[k, a], incidence[k, b] = -1, 1
    n_loops = sum(a == b for a, b in ends)
    rank = np.linalg.matrix_rank(incidence) if n_edges else 0
    assert len(cycles) == n_edges - n_loops - rank
    vectors = np.zeros((len(cycles), n_edges))
    for row, cycle in zip(vectors, cycles, strict=True):
        assert len(set(cycle)) == len(cycle)
        assert all(set(ends[k]) & set(ends[j]) for k, j in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        row[cycle] = 1
    assert np.linalg.matrix_rank(vectors) == len(cycles) if len(cycles) else True
    assert [len(c) for c in cycles] == sorted(len(c) for c in cycles)


def test_the_basis_is_minimal_for_a_known_graph() -> None:
    # a ladder of three squares: no cycle of six is needed
    tail, head = [0, 1, 2, 4, 5, 6, 0, 1, 2, 3], [1, 2, 3, 5, 6, 7, 4, 5, 6, 7]

    assert [len(cycle) for cycle in independent_cycles(8, tail, head)] == [4, 4, 4]


def test_cycles_of_thousands_of_edges_are_found_quickly_and_completely() -> None:
    tail, head = random_network(1200, 3000)

    cycles = independent_cycles(1200, tail, head)

    assert len(cycles) == 3000 - 1200 + 1
    assert np.mean([len(cycle) for cycle in cycles]) < 12
