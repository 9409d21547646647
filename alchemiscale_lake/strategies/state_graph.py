"""The graph of ChemicalSystems: connected parts, degrees, eccentricities, bridges and cut vertices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from ..estimators.design.criticality import Criticality, criticality
from ..estimators.network.partition import label_components
from .strategy_rows import TransformationRow

__all__ = ["criticality_of", "degrees", "eccentricities", "parts_of"]

IntArray = NDArray[np.int64]


def parts_of(rows: Sequence[TransformationRow]) -> list[tuple[TransformationRow, ...]]:
    """Return the Transformations of each connected subgraph of ChemicalSystems, in order of their first row."""
    if not rows:
        return []
    states, tail, head = _ends(rows)
    label = label_components(len(states), tail, head)[tail]
    parts: dict[int, list[TransformationRow]] = {}
    for row, number in zip(rows, label.tolist(), strict=True):
        parts.setdefault(number, []).append(row)
    return [tuple(part) for part in parts.values()]


def degrees(rows: Sequence[TransformationRow]) -> dict[str, int]:
    """Return the number of ends of Transformations at each ChemicalSystem.

    Parallel Transformations and both directions count; a NonTransformation counts twice.
    """
    found: dict[str, int] = {}
    for row in rows:
        for state in (row.state_a, row.state_b):
            found[state] = found.get(state, 0) + 1
    return found


def eccentricities(rows: Sequence[TransformationRow]) -> dict[str, int]:
    """Return the distance from each ChemicalSystem of a connected subgraph to the farthest one."""
    states, tail, head = _ends(rows)
    graph = coo_array((np.ones(len(tail)), (tail, head)), shape=(len(states), len(states)))
    distance = shortest_path(graph.tocsr(), method="D", directed=False, unweighted=True)
    return dict(zip(states, distance.max(axis=1).astype(int).tolist(), strict=True))


def criticality_of(rows: Sequence[TransformationRow]) -> tuple[list[str], Criticality]:
    """Return the ChemicalSystems in order, the bridges among the Transformations, and the cut vertices."""
    states, tail, head = _ends(rows)
    return states, criticality(len(states), tail, head)


def _ends(rows: Sequence[TransformationRow]) -> tuple[list[str], IntArray, IntArray]:
    states = list(dict.fromkeys(state for row in rows for state in (row.state_a, row.state_b)))
    number = {state: k for k, state in enumerate(states)}
    tail = np.array([number[row.state_a] for row in rows], dtype=np.int64)
    head = np.array([number[row.state_b] for row in rows], dtype=np.int64)
    return states, tail, head
