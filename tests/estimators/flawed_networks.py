"""Networks with scatter, and with flaws that findings are to name."""

from __future__ import annotations

import numpy as np

RNG_SEED = 12


def random_network(n_nodes: int, n_edges: int, seed: int = RNG_SEED) -> tuple[list[int], list[int]]:
    rng = np.random.default_rng(seed)
    pairs = {(int(rng.integers(0, node)), node) for node in range(1, n_nodes)}
    while len(pairs) < n_edges:
        a, b = sorted(rng.choice(n_nodes, 2, replace=False).tolist())
        pairs.add((a, b))
    ordered = sorted(pairs)
    return [a for a, _ in ordered], [b for _, b in ordered]
