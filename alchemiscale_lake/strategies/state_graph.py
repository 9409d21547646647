"""The graph of ChemicalSystems: connected parts, degrees, eccentricities, bridges and cut vertices.

A declared link joins the ChemicalSystems of its two ligands in every phase of its kind, until they have a result of
their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from ..estimators.design.criticality import Criticality, criticality
from ..estimators.network.partition import label_components
from .strategy_rows import LinkRow, TransformationRow

__all__ = ["criticality_of", "degrees", "eccentricities", "linked_states", "parts_of"]

IntArray = NDArray[np.int64]

_PHASES: Final = {"binding": ("complex", "solvent", "binding"), "hydration": ("solvent", "vacuum", "hydration")}


def parts_of(
    rows: Sequence[TransformationRow], links: Sequence[tuple[str, str]] = ()
) -> list[tuple[TransformationRow, ...]]:
    """Return the Transformations of each connected subgraph of ChemicalSystems, in order of their first row.

    Parameters
    ----------
    rows : sequence of TransformationRow
    links : sequence of (str, str)
        ChemicalSystems that are joined without a Transformation.
    """
    if not rows:
        return []
    states, tail, head = _ends(rows, links)
    label = label_components(len(states), tail, head)[tail[: len(rows)]]
    parts: dict[int, list[TransformationRow]] = {}
    for row, number in zip(rows, label.tolist(), strict=True):
        parts.setdefault(number, []).append(row)
    return [tuple(part) for part in parts.values()]


def linked_states(rows: Sequence[TransformationRow], links: Sequence[LinkRow]) -> list[tuple[str, str]]:
    """Return the ChemicalSystems that links join; without pairs that have a result of their own.

    Parameters
    ----------
    rows : sequence of TransformationRow
    links : sequence of LinkRow
    """
    if not links:
        return []
    state: dict[tuple[str, str | None, str | None], str] = {}
    for row in rows:
        for ligand, key in ((row.ligand_a, row.state_a), (row.ligand_b, row.state_b)):
            state.setdefault((row.phase, row.group, ligand), key)
    groups = sorted({row.group for row in rows if row.group is not None}) or [""]
    measured = {frozenset((row.state_a, row.state_b)) for row in rows if row.n_results}
    phases = sorted({row.phase for row in rows})
    found: dict[tuple[str, str], None] = {}
    for link in links:
        for of_a, of_b in link.pairs(groups):
            for phase in _PHASES.get(link.kind, phases):
                ends = ((phase, of_a, link.ligand_a), (phase, of_b, link.ligand_b))
                # a solvent leg without group is that of every group
                a, b = (state.get((of, group, ligand)) or state.get((of, None, ligand)) for of, group, ligand in ends)
                if a is not None and b is not None and a != b and frozenset((a, b)) not in measured:
                    found[a, b] = None
    return list(found)


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


def criticality_of(
    rows: Sequence[TransformationRow], links: Sequence[tuple[str, str]] = ()
) -> tuple[list[str], Criticality]:
    """Return the ChemicalSystems in order, the bridges among the Transformations, and the cut vertices.

    Parameters
    ----------
    rows : sequence of TransformationRow
    links : sequence of (str, str)
        ChemicalSystems that are joined without a Transformation; those that no row has are ignored.
    """
    states, tail, head = _ends(rows, links)
    found = criticality(len(states), tail, head)
    return states, replace(found, bridge=found.bridge[: len(rows)], beyond=found.beyond[: len(rows)])


def _ends(
    rows: Sequence[TransformationRow], links: Sequence[tuple[str, str]] = ()
) -> tuple[list[str], IntArray, IntArray]:
    """Return the ChemicalSystems of rows, and the ends of rows and then of the links among them."""
    states = list(dict.fromkeys(state for row in rows for state in (row.state_a, row.state_b)))
    number = {state: k for k, state in enumerate(states)}
    pairs = [(row.state_a, row.state_b) for row in rows]
    pairs += [pair for pair in links if pair[0] in number and pair[1] in number]
    ends = np.array([(number[a], number[b]) for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    return states, ends[:, 0], ends[:, 1]
