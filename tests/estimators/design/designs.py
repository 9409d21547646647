"""Networks for tests of allocations."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from alchemiscale_lake.estimators.design.design_network import DesignNetwork, design_network

__all__ = ["designs", "random_design"]


def random_design(seed: int, n_nodes: int, n_edges: int, *, legs: int = 2, anchors: int = 0) -> DesignNetwork:
    """Return a connected random network; each edge has legs of different variance and cost."""
    rng = np.random.default_rng(seed)
    tail, head = [int(rng.integers(k)) for k in range(1, n_nodes)], list(range(1, n_nodes))
    while len(tail) < n_edges:
        a, b = rng.choice(n_nodes, 2, replace=False).tolist()
        tail.append(a)
        head.append(b)
    size = legs * n_edges
    anchor = np.full(n_nodes, np.inf)
    anchor[rng.choice(n_nodes, anchors, replace=False)] = rng.uniform(0.05, 0.5, anchors)
    return design_network(
        n_nodes,
        tail,
        head,
        variance=np.exp(rng.normal(-3.5, 1.0, size)),
        cost=np.exp(rng.normal(0.0, 0.7, size)),
        leg_edge=np.repeat(np.arange(n_edges), legs),
        anchor_variance=anchor,
    )


@st.composite
def designs(draw: st.DrawFn, *, most_nodes: int = 10) -> DesignNetwork:
    """Draw connected networks, including parallel edges and anchors."""
    n_nodes = draw(st.integers(2, most_nodes))
    n_edges = draw(st.integers(n_nodes - 1, 2 * n_nodes + 2))
    anchors = draw(st.integers(0, min(2, n_nodes)))
    return random_design(draw(st.integers(0, 2**32 - 1)), n_nodes, n_edges, anchors=anchors)
