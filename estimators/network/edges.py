"""Assembly of edges from legs: differences of ligand pairs from Transformations in each environment.

Owns which legs make which edge, their direction, and the combination of several legs of one kind. Repeats of one
Transformation are combined before (`replicates`), networks are estimated after (`network_mle`).

==========  =======================  ================================================
kind        value, ligand a -> b     complete when it has
==========  =======================  ================================================
binding     complex - solvent        both
hydration   solvent - vacuum         both
direct      unchanged                itself (the phase was `direct`, or the only one)
==========  =======================  ================================================

A pair with vacuum, solvent and complex legs gives a binding and a hydration edge, which then share their solvent leg.
A leg of phase `binding` or `hydration` is itself such an edge: its Protocol runs both environments (separated
topologies, absolute binding and hydration). If all other legs of the input have a single phase, nothing is subtracted,
and each is a direct edge. Notes on an edge:

====================== ==========================================================================
``missing-leg``        the edge is incomplete; `missing` names the phases
``failed-leg``         a leg without a value (NaN); it counts as missing unless another replaces it
``legs-combined``      several legs of one phase, by inverse variance
``reversed-leg``       a leg was given b -> a and negated
``exact-leg``          among several legs some have zero uncertainty; only they count
``unknown-uncertainty``  a leg states no uncertainty; only others of its phase count, or the edge's
                       uncertainty is NaN
``single-phase``       the only phase of the input, used unchanged
``edges-combined``     the same edge in several ways (from its legs, directly), by inverse variance
====================== ==========================================================================
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError
from ..notes import Note

__all__ = ["EdgeEstimate", "Kind", "Leg", "Phase", "assemble_edges", "whole_edges"]

Phase = Literal["complex", "solvent", "vacuum", "direct", "binding", "hydration"]
Kind = Literal["binding", "hydration", "direct"]

#: Per kind, the phase with positive sign and the one that is subtracted.
_CYCLES: dict[Kind, tuple[Phase, Phase]] = {
    "binding": ("complex", "solvent"),
    "hydration": ("solvent", "vacuum"),
}
_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: Phases of legs that are themselves edges, and the kinds of these.
_COMPLETE: Final[dict[Phase, Kind]] = {"binding": "binding", "hydration": "hydration", "direct": "direct"}

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leg:
    """Estimate of one leg.

    Attributes
    ----------
    ligand_a, ligand_b : hashable
        From, to.
    phase : {"complex", "solvent", "vacuum", "direct", "binding", "hydration"}
        Environment; one of the last three for a leg that is itself a difference between ligands.
    value_kcal_mol, uncertainty_kcal_mol : float
        NaN if failed or unknown.
    group : hashable
        Legs make an edge only with legs of the same group, for example, one protein or one method.
    """

    ligand_a: Hashable
    ligand_b: Hashable
    phase: Phase
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    group: Hashable = None


@dataclass(frozen=True, slots=True)
class EdgeEstimate:
    """Difference between two ligands, computed from its legs.

    Attributes
    ----------
    ligand_a, ligand_b : hashable
        From, to; the direction of the pair's first leg.
    group : hashable
        Group of its legs.
    kind : {"binding", "hydration", "direct"}
        Determines the legs it is computed from.
    value_kcal_mol : float
        Value of a -> b; NaN if the edge is incomplete.
    uncertainty_kcal_mol : float
        Legs' uncertainties in quadrature; NaN if the edge is incomplete or they are unknown.
    legs : tuple of int
        Indices, in the input, of the legs used.
    phases : tuple of str
        Phases it needs, whether or not they exist.
    missing : tuple of str
        Phases it lacks; empty if it is complete.
    notes : tuple of Note
        What was done; their `edges` are indices of legs. Codes in the module docstring.
    """

    ligand_a: Hashable
    ligand_b: Hashable
    group: Hashable
    kind: Kind
    value_kcal_mol: float
    uncertainty_kcal_mol: float
    legs: tuple[int, ...]
    phases: tuple[Phase, ...]
    missing: tuple[Phase, ...]
    notes: tuple[Note, ...]

    @property
    def whole(self) -> bool:
        """Return whether all its legs exist."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class _Combined:
    """All legs of one pair in one phase, combined into one in the pair's direction."""

    value: float
    uncertainty: float
    legs: tuple[int, ...]
    notes: tuple[Note, ...]


_Pair = tuple[Hashable, Hashable, Hashable]  # group, ligand_a, ligand_b in the first leg's direction


def assemble_edges(legs: Iterable[Leg], *, by_direction: bool = False) -> list[EdgeEstimate]:
    """Assemble edges from legs.

    Parameters
    ----------
    legs : iterable of Leg
        In any order and direction.
    by_direction : bool
        Whether a pair that has the same phases in both directions makes two edges, a -> b and b -> a, as in openfe's
        `gather`; by default its legs are combined phase by phase.

    Returns
    -------
    list of EdgeEstimate
        In order of the pairs' first legs, binding before hydration before direct; includes incomplete edges, with
        value NaN and their missing phases.

    Raises
    ------
    EstimatorInputError
        If a phase is unknown, a value is infinite, or an uncertainty is negative or infinite.
    """
    given = list(legs)
    for position, leg in enumerate(given):
        _check(position, leg)
    phases = {leg.phase for leg in given} - set(_COMPLETE)
    edges: list[EdgeEstimate] = []
    pairs = _collect(given)
    for pair, by_phase in (_apart(pairs, given) if by_direction else pairs).items():
        combined = {phase: _combine(pair, phase, positions, given) for phase, positions in by_phase.items()}
        for kind in _KINDS:
            alone = phases if kind == "direct" and len(phases) == 1 else set()
            ways = [_by_itself(pair, kind, p, leg) for p, leg in combined.items() if p == kind or p in alone]
            if len(phases) > 1 and kind in _kinds(set(combined), phases):
                ways.insert(0, _cycle(pair, kind, combined))
            edges += [_joined(ways)] if ways else []
    return edges


def whole_edges(
    edges: Iterable[EdgeEstimate], kind: Kind
) -> tuple[list[Hashable], list[Hashable], FloatArray, FloatArray]:
    """Return arrays of the usable edges of one kind, as input for `estimators.network.network_mle.solve_network`.

    Parameters
    ----------
    edges : iterable of EdgeEstimate
        As assembled.
    kind : {"binding", "hydration", "direct"}
        Kind to select; a network contains only one kind.

    Returns
    -------
    node_a, node_b : list of hashable, length m
        Ligands.
    value, uncertainty : ndarray, shape (m,)
        kcal/mol. Edges that are incomplete, or of unknown uncertainty, are left out.
    """
    rows = [e for e in edges if e.kind == kind and e.whole and not np.isnan(e.uncertainty_kcal_mol)]
    return (
        [edge.ligand_a for edge in rows],
        [edge.ligand_b for edge in rows],
        np.array([edge.value_kcal_mol for edge in rows], dtype=np.float64),
        np.array([edge.uncertainty_kcal_mol for edge in rows], dtype=np.float64),
    )


def _check(position: int, leg: Leg) -> None:
    if leg.phase not in get_args(Phase):
        message = f"leg {position} ({leg.ligand_a} -> {leg.ligand_b}) is in phase {leg.phase!r}; phases are"
        raise EstimatorInputError(f"{message} {', '.join(get_args(Phase))}", leg=position)
    if np.isinf(leg.value_kcal_mol) or np.isinf(leg.uncertainty_kcal_mol) or leg.uncertainty_kcal_mol < 0:
        message = f"leg {position} ({leg.ligand_a} -> {leg.ligand_b}, {leg.phase}) has value {leg.value_kcal_mol}"
        message += f" and uncertainty {leg.uncertainty_kcal_mol}; give finite numbers, or NaN for a failed leg"
        raise EstimatorInputError(message, leg=position)


def _collect(legs: Sequence[Leg]) -> dict[_Pair, dict[Phase, list[int]]]:
    """Return indices of legs by pair, then phase; both directions of a pair belong to the first."""
    pairs: dict[_Pair, dict[Phase, list[int]]] = {}
    for position, leg in enumerate(legs):
        pair = (leg.group, leg.ligand_a, leg.ligand_b)
        back = (leg.group, leg.ligand_b, leg.ligand_a)
        home = pairs[back] if back in pairs else pairs.setdefault(pair, {})
        home.setdefault(leg.phase, []).append(position)
    return pairs


def _apart(pairs: dict[_Pair, dict[Phase, list[int]]], legs: Sequence[Leg]) -> dict[_Pair, dict[Phase, list[int]]]:
    """Split pairs that have every phase in both directions."""
    split: dict[_Pair, dict[Phase, list[int]]] = {}
    for (group, a, b), by_phase in pairs.items():
        forward = {phase: [k for k in places if legs[k].ligand_a == a] for phase, places in by_phase.items()}
        backward = {phase: [k for k in places if k not in forward[phase]] for phase, places in by_phase.items()}
        if a != b and all(forward.values()) and all(backward.values()):
            split |= {(group, a, b): forward, (group, b, a): backward}
        else:
            split[group, a, b] = by_phase
    return split


def _kinds(own: set[Phase], everywhere: set[Phase]) -> list[Kind]:
    """Return the kinds of edges of a pair, given its phases and those of the whole input.

    Complex and vacuum legs each imply one kind; a solvent leg alone may belong to any kind in the input.
    """
    kinds: list[Kind] = []
    solvent_only = "solvent" in own and not own & {"complex", "vacuum"}
    if "complex" in own or (solvent_only and "complex" in everywhere):
        kinds.append("binding")
    if "vacuum" in own or (solvent_only and "vacuum" in everywhere):
        kinds.append("hydration")
    return kinds


def _combine(pair: _Pair, phase: Phase, positions: list[int], legs: Sequence[Leg]) -> _Combined:
    """Combine several legs into one, in the direction of the pair."""
    _, ligand_a, ligand_b = pair
    against = [k for k in positions if (legs[k].ligand_a, legs[k].ligand_b) != (ligand_a, ligand_b)]
    notes = []
    if against:
        notes.append(Note("reversed-leg", f"{phase} legs given {ligand_b} -> {ligand_a}: negated", tuple(against)))
    failed = [k for k in positions if np.isnan(legs[k].value_kcal_mol)]
    if failed:
        notes.append(Note("failed-leg", f"{phase} legs without a value were omitted", tuple(failed)))
    there = [k for k in positions if k not in failed]
    unknown = [k for k in there if np.isnan(legs[k].uncertainty_kcal_mol)]
    if unknown:
        message = f"{phase} legs have no uncertainty"
        notes.append(Note("unknown-uncertainty", message, tuple(unknown)))
        there = [k for k in there if k not in unknown] or there
    signs = np.array([-1.0 if k in against else 1.0 for k in there])
    values = signs * np.array([legs[k].value_kcal_mol for k in there])
    sds = np.array([legs[k].uncertainty_kcal_mol for k in there])
    if len(there) > 1:
        exact = sds == 0
        if exact.any():
            message = f"only {phase} legs of zero uncertainty are used, of {len(there)}"
            notes.append(Note("exact-leg", message, tuple(np.array(there)[exact].tolist())))
        notes.append(Note("legs-combined", f"{len(there)} {phase} legs were combined", tuple(there)))
    value, uncertainty = _weighted_mean(values, sds)
    return _Combined(value, uncertainty, tuple(there), tuple(notes))


def _weighted_mean(values: FloatArray, sds: FloatArray) -> tuple[float, float]:
    """Return the inverse-variance mean; exact values take precedence; unknown uncertainties give mean and NaN."""
    if not len(values):
        return float("nan"), float("nan")
    if np.isnan(sds).any():
        return float(values.mean()), float("nan")
    if (sds == 0).any():
        return float(values[sds == 0].mean()), 0.0
    smallest = sds.min()
    weights = (smallest / sds) ** 2
    return float(weights @ values / weights.sum()), float(smallest / np.sqrt(weights.sum()))


def _cycle(pair: _Pair, kind: Kind, combined: dict[Phase, _Combined]) -> EdgeEstimate:
    """Return the edge as the difference of two phases."""
    group, ligand_a, ligand_b = pair
    present = [combined[phase] for phase in _CYCLES[kind] if phase in combined]
    missing = tuple(phase for phase in _CYCLES[kind] if phase not in combined or not combined[phase].legs)
    notes = tuple(note for leg in present for note in leg.notes)
    used = tuple(k for leg in present for k in leg.legs)
    if missing:
        message = f"{kind} edge {ligand_a} -> {ligand_b} lacks {' and '.join(missing)}"
        notes += (Note("missing-leg", message, nodes=(ligand_a, ligand_b)),)
        nan = float("nan")
        return EdgeEstimate(ligand_a, ligand_b, group, kind, nan, nan, used, _CYCLES[kind], missing, notes)
    plus, minus = present
    value = plus.value - minus.value
    uncertainty = float(np.hypot(plus.uncertainty, minus.uncertainty))
    return EdgeEstimate(ligand_a, ligand_b, group, kind, value, uncertainty, used, _CYCLES[kind], (), notes)


def _by_itself(pair: _Pair, kind: Kind, phase: Phase, leg: _Combined) -> EdgeEstimate:
    """Return the edge of a leg that is itself an edge."""
    group, ligand_a, ligand_b = pair
    notes = leg.notes
    if phase not in _COMPLETE:
        notes += (
            Note(
                "single-phase",
                f"only the {phase} leg exists: the value is that of the leg, not a difference of two legs",
                leg.legs,
            ),
        )
    missing: tuple[Phase, ...] = () if leg.legs else (phase,)
    if missing:
        message = f"{kind} edge {ligand_a} -> {ligand_b} lacks {phase}"
        notes += (Note("missing-leg", message, nodes=(ligand_a, ligand_b)),)
    return EdgeEstimate(ligand_a, ligand_b, group, kind, leg.value, leg.uncertainty, leg.legs, (phase,), missing, notes)


def _joined(ways: Sequence[EdgeEstimate]) -> EdgeEstimate:
    """Combine the same difference found in several ways into one edge."""
    if len(ways) == 1:
        return ways[0]
    there = [way for way in ways if way.whole]
    used = [way for way in there if not np.isnan(way.uncertainty_kcal_mol)] or there
    notes = tuple(note for way in ways for note in way.notes)
    phases = tuple(dict.fromkeys(phase for way in ways for phase in way.phases))
    legs = tuple(leg for way in used or ways for leg in way.legs)
    if not used:
        return replace(ways[0], legs=legs, phases=phases, notes=notes)
    value, uncertainty = _weighted_mean(
        np.array([way.value_kcal_mol for way in used]), np.array([way.uncertainty_kcal_mol for way in used])
    )
    if len(used) > 1:
        named = " and ".join("-".join(way.phases) for way in used)
        notes += (Note("edges-combined", f"{used[0].kind} edge from {named} combined", legs),)
    return replace(
        used[0], value_kcal_mol=value, uncertainty_kcal_mol=uncertainty, legs=legs, phases=phases, notes=notes
    )
