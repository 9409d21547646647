"""Redundant edges that a network lacks: rows in, proposals out.

Owns which pairs are candidates, and the uncertainty that a new edge is expected to have. Which of them are chosen is
decided in `estimators.design.redundancy`; who can make Transformations of them is the caller's matter.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from ..errors import EstimationError, NotFoundError
from ..estimators.design.redundancy import RedundantEdge, redundant_edges
from ..networks.measures import is_absent
from ..plurals import count
from ..query import Connection, ask_edges
from ..suggestions import did_you_mean

__all__ = ["PROPOSAL_COLUMNS", "propose_edges", "proposed_edges"]

#: Columns of proposals, with their types.
PROPOSAL_COLUMNS: Final = {
    "kind": pl.String,
    "ligand_i": pl.String,
    "ligand_j": pl.String,
    "n_bridges": pl.Int64,
    "joins_parts": pl.Boolean,
    "mean_uncertainty_before_kcal_mol": pl.Float64,
    "mean_uncertainty_after_kcal_mol": pl.Float64,
    "reason": pl.String,
}
#: Expected uncertainty of an edge where none is known, kcal/mol.
_USUAL: Final = 0.2
#: An edge that is exact, or nearly so, counts as this uncertain, so that the inverse exists.
_LEAST: Final = 1e-3

_Pair = tuple[str, str]


def proposed_edges(
    connection: Connection,
    network: str,
    *,
    most: int = 5,
    kind: str | None = None,
    reach: int = 3,
    pairs: Collection[_Pair] | None = None,
    uncertainty_kcal_mol: float | None = None,
) -> pl.DataFrame:
    """Propose redundant edges for the newest estimates of a network, see `propose_edges`.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.
    most, reach, pairs, uncertainty_kcal_mol
        As for `propose_edges`.
    kind : str, optional
        `binding`, `hydration` or `direct`; needed if the network has several.

    Raises
    ------
    EstimationError
        If the network has no estimates, or several kinds and none was chosen.
    """
    edges = ask_edges(connection, network=network, kind=kind)
    kinds = sorted(edges["kind"].unique())
    if len(kinds) != 1:
        problem = (
            f"has edges of kind {' and '.join(kinds)}; choose one" if kinds else "has no estimates; gather it first"
        )
        raise EstimationError(f"{network} {problem}", network=network)
    return propose_edges(edges, most=most, reach=reach, pairs=pairs, uncertainty_kcal_mol=uncertainty_kcal_mol)


def propose_edges(
    edges: pl.DataFrame,
    *,
    most: int = 5,
    reach: int = 3,
    pairs: Collection[_Pair] | None = None,
    uncertainty_kcal_mol: float | None = None,
) -> pl.DataFrame:
    """Propose edges that join parts, then those that close cycles over bridges, then those that add most certainty.

    Parameters
    ----------
    edges : polars.DataFrame
        Columns kind, ligand_i, ligand_j, uncertainty_kcal_mol of one network and kind; also edges without a result,
        which count as certain as others.
    most : int, default 5
        Edges to propose at most.
    reach : int, default 3
        Without `pairs`, ligands at most this many edges apart are candidates: near ones are similar, as edges were
        planned between similar ligands.
    pairs : collection of (str, str), optional
        The only candidates, such as pairs with a good atom mapping.
    uncertainty_kcal_mol : float, optional
        Expected of a new edge; the median of the others by default.

    Returns
    -------
    polars.DataFrame
        `PROPOSAL_COLUMNS`, one row per proposal, the first to be made first; each counts with those before it.

    Raises
    ------
    NotFoundError
        If `pairs` names a ligand that the network lacks.
    """
    if not len(edges):
        return pl.DataFrame(schema=PROPOSAL_COLUMNS)
    ends = [_pair(i, j) for i, j in edges.select("ligand_i", "ligand_j").iter_rows()]
    nodes = sorted({node for pair in ends for node in pair if not is_absent(node)})
    number = {node: k for k, node in enumerate(nodes)}
    known = np.array(edges["uncertainty_kcal_mol"].cast(pl.Float64).fill_null(np.nan).to_list(), dtype=np.float64)
    certain = known[np.isfinite(known) & (known > 0)]
    usual = uncertainty_kcal_mol or (float(np.median(certain)) if len(certain) else _USUAL)
    widths = np.maximum(np.where(np.isfinite(known), known, usual), _LEAST)
    candidates = _near(nodes, ends, reach) if pairs is None else _given(pairs, number, ends)
    found = redundant_edges(
        len(nodes),
        [-1 if is_absent(i) else number[i] for i, _ in ends],
        [number[j] for _, j in ends],
        widths**2,
        candidate_tail=[number[i] for i, _ in candidates],
        candidate_head=[number[j] for _, j in candidates],
        candidate_variance=np.full(len(candidates), usual**2),
        most=most,
    )
    kind = edges["kind"][0]
    return pl.DataFrame([_row(kind, candidates[edge.candidate], edge) for edge in found], schema=PROPOSAL_COLUMNS)


def _pair(i: str, j: str) -> _Pair:
    """Return the ends of an edge, an absent ligand first."""
    return (j, i) if is_absent(j) else (i, j)


def _row(kind: str, pair: _Pair, edge: RedundantEdge) -> dict[str, object]:
    if edge.joins:
        reason = "joins two parts that have no scale in common"
    elif edge.n_bridges:
        reason = f"closes a cycle over {count(edge.n_bridges, 'edge')} that nothing checks"
    else:
        reason = "adds most certainty"
    return {
        "kind": kind,
        "ligand_i": pair[0],
        "ligand_j": pair[1],
        "n_bridges": edge.n_bridges,
        "joins_parts": edge.joins,
        "mean_uncertainty_before_kcal_mol": edge.mean_before,
        "mean_uncertainty_after_kcal_mol": edge.mean_after,
        "reason": reason,
    }


def _near(nodes: Sequence[str], ends: Sequence[_Pair], reach: int) -> list[_Pair]:
    """Return pairs of ligands of one environment that are near each other; of different parts, their hubs."""
    around: dict[str, set[str]] = {node: set() for node in nodes}
    for i, j in ends:
        if not is_absent(i):
            around[i].add(j)
            around[j].add(i)
    found = [
        (node, other)
        for node in nodes
        for other, steps in _steps(node, around, reach).items()
        if node < other and steps > 1 and _environment(node) == _environment(other)
    ]
    parts: dict[str, list[list[str]]] = {}
    seen: set[str] = set()
    for node in nodes:
        if node not in seen:
            part = sorted(_steps(node, around, len(nodes)))
            seen |= set(part)
            parts.setdefault(_environment(node), []).append(part)
    for of_environment in parts.values():
        hubs = [min(part, key=lambda node: (-len(around[node]), node)) for part in of_environment]
        found += [tuple(sorted(pair)) for pair in itertools.combinations(hubs, 2)]  # type: ignore[misc]
    return found


def _steps(node: str, around: Mapping[str, set[str]], reach: int) -> dict[str, int]:
    """Return how many edges away each node is, up to a number."""
    steps, waiting = {node: 0}, deque([node])
    while waiting:
        here = waiting.popleft()
        if steps[here] == reach:
            continue
        for there in around[here]:
            if there not in steps:
                steps[there] = steps[here] + 1
                waiting.append(there)
    return steps


def _environment(node: str) -> str:
    """Return what follows ` in ` in the name of a node; nothing in a network of one protein."""
    return node.rpartition(" in ")[2] if " in " in node else ""


def _given(pairs: Collection[_Pair], number: Mapping[str, int], ends: Sequence[_Pair]) -> list[_Pair]:
    there = {frozenset(pair) for pair in ends}
    for node in sorted({node for pair in pairs for node in pair} - set(number)):
        raise NotFoundError(f"a pair names {node!r}, which the network lacks{did_you_mean(node, number)}", name=node)
    new = {tuple(sorted(pair)) for pair in pairs if len(set(pair)) == 2 and frozenset(pair) not in there}
    return [(i, j) for i, j in sorted(new)]
