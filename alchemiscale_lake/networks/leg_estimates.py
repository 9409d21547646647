"""Estimates of Protocols that repeat their legs independently, computed from their units.

Each leg is the mean over its repeats, with the standard state corrections that its units state. The uncertainty of a
leg is the standard deviation over repeats, or what a single repeat states; legs are added in quadrature. This is what
openfe's `AbsoluteBindingProtocolResult`, `AbsoluteSolvationProtocolResult` and `SepTopProtocolResult` compute.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from .imported import energy_kcal_mol

__all__ = ["LEGS", "legs_estimate"]

#: Sign of each leg in the estimate, by class of Protocol.
LEGS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "AbsoluteBindingProtocol": {"solvent": 1, "complex": -1},
        "AbsoluteSolvationProtocol": {"vacuum": 1, "solvent": -1},
        "SepTopProtocol": {"complex": 1, "solvent": -1},
    }
)
_CORRECTION: Final = "standard_state_correction"


def legs_estimate(
    protocol: str, outputs: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[float | None, float | None]:
    """Return estimate and uncertainty in kcal/mol; None if a leg is missing or the Protocol is unknown.

    Parameters
    ----------
    protocol : str
        Class of the Protocol.
    outputs : mapping of str to sequence of mapping
        By leg, the outputs of the unit with the estimate of each repeat.

    Raises
    ------
    TypeError, ValueError
        If an energy cannot be read.
    """
    signs = LEGS.get(protocol)
    if signs is None:
        return None, None
    total, squares = 0.0, 0.0
    for leg, sign in signs.items():
        repeats = [_repeat(of_unit) for of_unit in outputs.get(leg, ())]
        values = [value for value, _ in repeats if value is not None]
        if not values:
            return None, None
        total += sign * statistics.fmean(values)
        stated = next((error for value, error in repeats if value is not None), None)
        squares += (statistics.stdev(values) if len(values) > 1 else stated or 0.0) ** 2
    return total, math.sqrt(squares)


def _repeat(outputs: Mapping[str, Any]) -> tuple[float | None, float | None]:
    value = energy_kcal_mol(outputs.get("unit_estimate"))
    if value is None:
        return None, None
    corrections = [energy_kcal_mol(given) for name, given in outputs.items() if name.startswith(_CORRECTION)]
    return value + sum(filter(None, corrections)), energy_kcal_mol(outputs.get("unit_estimate_error"))
