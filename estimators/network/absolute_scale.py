"""The absolute scale of a network with absolute results.

An absolute calculation (a ligand decoupled, `absent` at the other end) is an edge from a reference node, whose free
energy is zero by definition, to its ligand. Solved like any other edge it fixes the zero of its connected component,
and relative and absolute results correct each other. Owns the change of gauge, from the component's mean to the
reference node; the model is in `network_mle`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..notes import Note
from .network_estimate import NetworkEstimate

__all__ = ["on_absolute_scale", "with_variances"]

FloatArray = NDArray[np.float64]


def on_absolute_scale(estimate: NetworkEstimate, references: Collection[Hashable]) -> NetworkEstimate:
    """Shift components with a reference node to the absolute scale that it fixes.

    Parameters
    ----------
    estimate : NetworkEstimate
        Solved with absolute results as edges from a reference node.
    references : collection of hashable
        Labels of the reference nodes.

    Returns
    -------
    NetworkEstimate
        Values of these components are relative to their reference node, which is zero and exact; uncertainties and
        covariance are those of absolute values, without a shift to experiment. Other components are unchanged. If a
        component has several reference nodes, the first is its zero.
    """
    found = _references_of(estimate, references)
    if not found:
        return estimate
    value, variance = estimate.value_kcal_mol.copy(), estimate.uncertainty_kcal_mol**2
    covariance = None if estimate.covariance is None else estimate.covariance.copy()
    components, notes = list(estimate.components), list(estimate.notes)
    for own, reference in found.items():
        members = np.flatnonzero(estimate.component == own)
        value[members] -= value[reference]
        value[reference] = 0.0
        variance[members] = _variances_against(estimate, members, reference)
        if covariance is not None:
            block = np.ix_(members, members)
            moved = _against(covariance[block], int(np.flatnonzero(members == reference)[0]))
            covariance[block] = with_variances(moved, variance[members])
        components[own] = replace(components[own], shift_kcal_mol=0.0, absolute=True)
        ligands = tuple(estimate.nodes[k] for k in members if k != reference)
        message = f"values whose zero absolute results fix: {len(ligands)}"
        notes = [left for note in notes if (left := _without(note, members, estimate.nodes)) is not None]
        notes.append(Note("absolute-results", message, nodes=ligands))
    return replace(
        estimate,
        value_kcal_mol=value,
        uncertainty_kcal_mol=np.sqrt(np.maximum(variance, 0.0)),
        covariance=covariance,
        components=tuple(components),
        notes=tuple(notes),
    )


def with_variances(covariance: FloatArray, variance: FloatArray) -> FloatArray:
    """Return a covariance with these variances, and no entry larger than they allow.

    Parameters
    ----------
    covariance : ndarray, shape (n, n)
        With entries that are differences of larger numbers, and so may have lost digits.
    variance : ndarray, shape (n,)
        Computed without cancellation.
    """
    deviation = np.sqrt(np.maximum(variance, 0.0))
    most = np.multiply.outer(deviation, deviation)
    result: FloatArray = np.clip(covariance, -most, most)
    result[np.diag_indices(len(variance))] = variance
    return result


def _references_of(estimate: NetworkEstimate, references: Collection[Hashable]) -> dict[int, int]:
    """Return the position of the reference node of every component that has one and other nodes as well."""
    wanted = set(references)
    size = np.bincount(estimate.component, minlength=1)
    found: dict[int, int] = {}
    for position, label in enumerate(estimate.nodes):
        own = int(estimate.component[position])
        if label in wanted and size[own] > 1:
            found.setdefault(own, position)
    return found


def _without(note: Note, members: NDArray[np.int64], nodes: tuple[Hashable, ...]) -> Note | None:
    """Remove nodes with an absolute scale from notes on the scale of experiment."""
    if note.code not in ("experiment-missing", "experiment-pinned"):
        return note
    inside = {nodes[k] for k in members}
    left = tuple(node for node in note.nodes if node not in inside)
    message = note.message.replace(f"{len(note.nodes)} nodes", f"{len(left)} nodes", 1)
    return replace(note, message=message, nodes=left) if left else None


def _variances_against(estimate: NetworkEstimate, members: NDArray[np.int64], reference: int) -> FloatArray:
    """Return variances of the members' differences from the reference, from the elimination, without cancellation."""
    return estimate.solution.pair_variances(np.full(len(members), reference), members)


def _against(covariance: FloatArray, reference: int) -> FloatArray:
    """Return the covariance of the differences from one node."""
    row = covariance[reference]
    moved: FloatArray = covariance - row[:, None] - row[None, :] + row[reference]
    moved[reference] = moved[:, reference] = 0.0
    return moved
