"""Estimates of Protocols that repeat their legs independently, computed from their units.

Each leg is the mean over its repeats, with the standard state corrections that its units state. The uncertainty of a
leg is the standard deviation over repeats, or what a single repeat states; legs are added in quadrature. This is what
openfe's `AbsoluteBindingProtocolResult`, `AbsoluteSolvationProtocolResult` and `SepTopProtocolResult` compute. If every
leg has the same repeats, each of these has an estimate of its own (`gufe_adapter.repeats`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ..gufe_adapter.repeats import paired_repeats, repeat_number
from .imported import Replicates, energy_kcal_mol

__all__ = ["LEGS", "LegRow", "LegsEstimate", "leg_rows", "legs_estimate"]

#: Sign of each leg in the estimate, by class of Protocol.
LEGS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "AbsoluteBindingProtocol": {"solvent": 1, "complex": -1},
        "AbsoluteSolvationProtocol": {"vacuum": 1, "solvent": -1},
        "SepTopProtocol": {"complex": 1, "solvent": -1},
    }
)
_CORRECTION: Final = "standard_state_correction"
_NO_CORRECTION: Final = 1e-8


class LegsEstimate(NamedTuple):
    """Estimate and uncertainty in kcal/mol, None if unknown, and those of each repeat if legs can be paired.

    Attributes
    ----------
    estimate_kcal_mol : float or None
        None if a leg is missing.
    uncertainty_kcal_mol : float or None
        Standard error; None if a leg is missing.
    replicates : Replicates, default ()
        Estimate and uncertainty of each repeat, kcal/mol; empty if legs cannot be paired.
    """

    estimate_kcal_mol: float | None
    uncertainty_kcal_mol: float | None
    replicates: Replicates = ()


class LegRow(NamedTuple):
    """One repeat of a leg, or its standard state correction, with the sign that the Protocol gives it.

    Attributes
    ----------
    leg : str
        `complex`, `solvent`, `vacuum`, or the name of a correction.
    value_kcal_mol : float
    uncertainty_kcal_mol : float or None
        Standard error that the unit states; 0 of a correction.
    """

    leg: str
    value_kcal_mol: float
    uncertainty_kcal_mol: float | None


class _Repeat(NamedTuple):
    number: int | None
    value: float
    uncertainty: float | None


def legs_estimate(protocol: str, units: Mapping[str, Iterable[Mapping[str, Any]]]) -> LegsEstimate:
    """Return the estimate of a result; without numbers if a leg is missing or the Protocol is unknown.

    Parameters
    ----------
    protocol : str
        Class of the Protocol.
    units : mapping of str to iterable of mapping
        By leg, the unit with the estimate of each repeat, as in gufe's JSON.

    Raises
    ------
    TypeError, ValueError
        If an energy cannot be read.
    """
    signs = LEGS.get(protocol, {})
    legs = {leg: [one for one in map(_repeat, units.get(leg, ())) if one is not None] for leg in signs}
    if not legs or not all(legs.values()):
        return LegsEstimate(None, None)
    total = sum(sign * statistics.fmean(one.value for one in legs[leg]) for leg, sign in signs.items())
    squares = sum(_uncertainty(repeats) ** 2 for repeats in legs.values())
    return LegsEstimate(total, math.sqrt(squares), _paired(signs, legs))


def leg_rows(units: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[LegRow]:
    """Return each repeat of each leg, and its corrections, as in openfe's raw reports.

    Parameters
    ----------
    units : mapping of str to iterable of mapping
        By leg, the unit with the estimate of each repeat, as in gufe's JSON.

    Returns
    -------
    list of LegRow
        By name of the leg, then by number of the repeat.

    Raises
    ------
    TypeError, ValueError
        If an energy cannot be read.
    """
    rows = []
    for leg, of_leg in units.items():
        for unit in of_leg:
            outputs, number = unit["outputs"], repeat_number(str(unit.get("name", ""))) or 0
            value = energy_kcal_mol(outputs.get("unit_estimate"))
            if value is None:
                continue
            rows.append((number, LegRow(leg, value, energy_kcal_mol(outputs.get("unit_estimate_error")))))
            for name, given in outputs.items():
                correction = energy_kcal_mol(given) if name.startswith(_CORRECTION) else None
                # openfe states a correction of zero for a leg without restraint, which its reports omit
                if correction is not None and (name != _CORRECTION or abs(correction) > _NO_CORRECTION):
                    rows.append((number, LegRow(name, correction, 0.0)))
    return [row for _, row in sorted(rows, key=lambda one: (one[1].leg, one[0]))]


def _uncertainty(repeats: Sequence[_Repeat]) -> float:
    if len(repeats) > 1:
        return statistics.stdev(one.value for one in repeats)
    return repeats[0].uncertainty or 0.0


def _paired(signs: Mapping[str, int], legs: Mapping[str, Sequence[_Repeat]]) -> Replicates:
    """Return estimate and uncertainty of each repeat, legs paired by its number."""
    pairs = []
    for number in paired_repeats([one.number for one in repeats] for repeats in legs.values()):
        own = {leg: one for leg, repeats in legs.items() for one in repeats if one.number == number}
        value = sum(sign * own[leg].value for leg, sign in signs.items())
        pairs.append((value, math.hypot(*(one.uncertainty or 0.0 for one in own.values()))))
    return tuple(pairs)


def _repeat(unit: Mapping[str, Any]) -> _Repeat | None:
    outputs = unit["outputs"]
    value = energy_kcal_mol(outputs.get("unit_estimate"))
    if value is None:
        return None
    corrections = [energy_kcal_mol(given) for name, given in outputs.items() if name.startswith(_CORRECTION)]
    return _Repeat(
        repeat_number(str(unit.get("name", ""))),
        value + sum(filter(None, corrections)),
        energy_kcal_mol(outputs.get("unit_estimate_error")),
    )
