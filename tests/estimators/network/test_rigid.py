"""Exact edges become rigid groups."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.network.rigid import contract
from tests.estimators.networks import random_network


@given(st.integers(0, 1000), st.integers(2, 9), st.integers(0, 6))
def test_consistent_exact_edges_give_the_true_differences(seed: int, n_nodes: int, more: int) -> None:
    edges = random_network(seed, n_nodes, n_nodes - 1 + more)
    value = edges.truth[edges.head] - edges.truth[edges.tail]

    # two nodes without an exact edge follow
    found = contract(n_nodes + 2, edges.tail, edges.head, value)

    assert found.group.tolist() == [0] * n_nodes + [1, 2]
    np.testing.assert_allclose(found.offset[:n_nodes], edges.truth - edges.truth[0], atol=1e-9)
    assert found.offset[n_nodes:].tolist() == [0.0, 0.0]


def test_contradictions_are_shared_equally() -> None:
    ends = np.array([0, 0], dtype=np.int64), np.array([1, 1], dtype=np.int64)

    assert contract(2, *ends, np.array([1.0, 3.0])).offset.tolist() == [0.0, 2.0]


def test_groups_are_numbered_by_first_appearance() -> None:
    found = contract(4, np.array([3], dtype=np.int64), np.array([1], dtype=np.int64), np.array([2.0]))

    assert found.group.tolist() == [0, 1, 2, 1]
    assert found.offset.tolist() == [0.0, 0.0, 0.0, -2.0]
    assert contract(3, *(np.array([], dtype=np.int64),) * 2, np.array([])).group.tolist() == [0, 1, 2]
