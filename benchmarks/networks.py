"""Networks of measured differences for benchmarks: random ones, and ones shaped like a programme's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["Network", "programme", "random_network"]


@dataclass(frozen=True)
class Network:
    """m edges between n numbered ligands; uncertainties of 0.1 to 1 kcal/mol, arbitrary values."""

    n_nodes: int
    tail: NDArray[np.int64]
    head: NDArray[np.int64]
    value: NDArray[np.float64]
    uncertainty: NDArray[np.float64]

    @classmethod
    def of(cls, n_nodes: int, pairs: NDArray[np.int64], rng: np.random.Generator) -> Network:
        n_edges = len(pairs)
        return cls(n_nodes, pairs[:, 0], pairs[:, 1], rng.normal(size=n_edges), rng.uniform(0.1, 1.0, n_edges))

    def rows(self) -> tuple[list[str], list[str], NDArray[np.float64], NDArray[np.float64]]:
        """Return the input of `solve_network`."""
        node_a, node_b = ([f"lig{k}" for k in ends.tolist()] for ends in (self.tail, self.head))
        return node_a, node_b, self.value, self.uncertainty


def random_network(n_nodes: int, n_edges: int, *, seed: int = 2026) -> Network:
    """Return a random tree with further random pairs, without duplicates."""
    rng = np.random.default_rng(seed)
    keys = {int(rng.integers(node)) * n_nodes + node for node in range(1, n_nodes)}
    while len(keys) < n_edges:
        ends = np.sort(rng.integers(n_nodes, size=(n_edges - len(keys), 2)), axis=1)
        keys.update((ends[:, 0] * n_nodes + ends[:, 1])[ends[:, 0] < ends[:, 1]].tolist())
    found = np.array(sorted(keys), dtype=np.int64)
    return Network.of(n_nodes, np.column_stack([found // n_nodes, found % n_nodes]), rng)


def programme(n_series: int, n_ligands: int, *, seed: int = 2026) -> Network:
    """Return series of ligands: ligands connected to the three most similar, series by their first ligands.

    Similarity is distance between points in four dimensions, so that series are not mere chains.
    """
    rng = np.random.default_rng(seed)
    pairs: list[tuple[int, int]] = []
    for series in range(n_series):
        first = series * n_ligands
        places = rng.normal(size=(n_ligands, 4))
        _, nearest = cKDTree(places).query(places, k=min(4, n_ligands))
        near = {(min(a, b), max(a, b)) for a, row in enumerate(nearest.tolist()) for b in row[1:]}
        # and to the most similar of the earlier ones, so that the series is connected
        near |= {(int(np.argmin(((places[:a] - places[a]) ** 2).sum(axis=1))), a) for a in range(1, n_ligands)}
        pairs += [(first + a, first + b) for a, b in sorted(near)]
        pairs += sorted({(int(other) * n_ligands, first) for other in rng.integers(series, size=2)} if series else ())
    return Network.of(n_series * n_ligands, np.array(pairs, dtype=np.int64), rng)
