"""Random networks as plain arrays, for tests of estimators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


@dataclass(frozen=True)
class Edges:
    """m edges over n numbered nodes, and the true values they were drawn from."""

    n_nodes: int
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    value: NDArray[np.float64]
    sd: NDArray[np.float64]
    truth: NDArray[np.float64]

    def labels(self) -> tuple[list[str], list[str]]:
        """Return the ends as ligand names."""
        return [f"lig{k}" for k in self.tail], [f"lig{k}" for k in self.head]

    def nodes(self) -> list[str]:
        """Return the ligand names in numerical order."""
        return [f"lig{k}" for k in range(self.n_nodes)]


def random_network(seed: int, n_nodes: int, n_edges: int, *, decades: float = 1.0, distinct: bool = False) -> Edges:
    """Return a random tree with further random pairs; uncertainties are log-uniform over `decades` below 1.

    Parallel and reverse edges occur unless `distinct`.
    """
    rng = np.random.default_rng(seed)
    pairs = [(int(rng.integers(node)), node) for node in range(1, n_nodes)]
    while len(pairs) < n_edges:
        a, b = rng.choice(n_nodes, size=2, replace=False).tolist()
        if not distinct or not {(a, b), (b, a)} & set(pairs):
            pairs.append((a, b))
    order = rng.permutation(n_edges)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)[order]
    ends = np.where(rng.random(n_edges)[:, None] < 0.5, ends, ends[:, ::-1])
    tail, head = ends.T
    sd = 10.0 ** rng.uniform(-decades, 0.0, n_edges)
    truth = rng.normal(scale=3.0, size=n_nodes)
    value = truth[head] - truth[tail] + sd * rng.normal(size=n_edges)
    return Edges(n_nodes, tail, head, value, sd, truth)


@st.composite
def networks(draw: st.DrawFn, *, decades: float = 2.0) -> Edges:
    """Draw connected networks of 2 to 12 nodes, including parallel and reverse edges."""
    n_nodes = draw(st.integers(2, 12))
    n_edges = draw(st.integers(n_nodes - 1, 2 * n_nodes + 2))
    seed = draw(st.integers(0, 2**32 - 1))
    return random_network(seed, n_nodes, n_edges, decades=decades)
