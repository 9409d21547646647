"""Bridges and cut vertices, compared with networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.estimators.design.criticality import Criticality, criticality

nodes = st.integers(0, 7)


def of(n_nodes: int, pairs: list[tuple[int, int]]) -> Criticality:
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return criticality(n_nodes, ends[:, 0], ends[:, 1])


@given(st.lists(st.tuples(nodes, nodes), max_size=14))
def test_what_holds_a_multigraph_together(pairs: list[tuple[int, int]]) -> None:
    found = of(8, pairs)
    graph = nx.MultiGraph()
    graph.add_nodes_from(range(8))
    graph.add_edges_from(pairs)
    n_parts = nx.number_connected_components(graph)

    for k, pair in enumerate(pairs):
        without = nx.MultiGraph()
        without.add_nodes_from(range(8))
        without.add_edges_from([*pairs[:k], *pairs[k + 1 :]])
        assert found.bridge[k] == (nx.number_connected_components(without) > n_parts)
        sides = {len(nx.node_connected_component(without, end)) for end in pair}
        assert found.beyond[k] in sides if found.bridge[k] else found.beyond[k] == 0
    simple = nx.Graph((a, b) for a, b in pairs if a != b)
    assert set(np.flatnonzero(found.cut).tolist()) == set(nx.articulation_points(simple))


def test_a_path_of_thousands_is_searched_without_recursion() -> None:
    n = 5000
    found = of(n, [(k, k + 1) for k in range(n - 1)])

    assert found.bridge.all()
    assert found.beyond.tolist() == list(range(n - 1, 0, -1))
    assert found.cut.sum() == n - 2
