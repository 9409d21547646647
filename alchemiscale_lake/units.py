"""The only unit conversion: an energy as a plain float in kcal/mol.

Quantities of pint, openff-units and openmm are recognised by their methods, so that none of these packages is needed
to read a number.
"""

from __future__ import annotations

import math
from typing import Any, Final

from .errors import UnitConversionError

__all__ = ["KCAL_PER_KJ", "kcal_mol", "kt_kcal_mol"]

#: The thermochemical calorie is defined as 4.184 J exactly.
KCAL_PER_KJ: Final = 1.0 / 4.184
#: CODATA 2018 (exact): molar gas constant in J / (mol K).
_GAS_CONSTANT_J: Final = 8.31446261815324


def kcal_mol(value: Any) -> float | None:
    """Return an energy in kcal/mol.

    Parameters
    ----------
    value : quantity, float or None
        A pint or openff-units Quantity, an openmm Quantity, or a bare number that is already in
        kcal/mol.

    Returns
    -------
    float or None
        None for None and for a value that is not finite (a failed estimate is a missing one).

    Raises
    ------
    UnitConversionError
        If the quantity is not an energy per amount of substance.
    """
    if value is None:
        return None
    magnitude = _magnitude(value)
    return magnitude if math.isfinite(magnitude) else None


def _magnitude(value: Any) -> float:
    if hasattr(value, "value_in_unit"):  # openmm
        from openmm import unit as omm_unit

        try:
            return float(value.value_in_unit(omm_unit.kilocalorie_per_mole))
        except TypeError as e:
            raise _no_energy(value) from e
    if hasattr(value, "m_as"):  # pint, openff-units
        try:
            return float(value.m_as("kJ/mol")) * KCAL_PER_KJ
        except Exception as e:  # pint's errors differ between registries; the reason is the same
            raise _no_energy(value) from e
    try:
        return float(value)
    except (TypeError, ValueError) as e:
        raise UnitConversionError(f"{value!r} is neither a number nor a quantity with a unit", value=repr(value)) from e


def _no_energy(value: Any) -> UnitConversionError:
    return UnitConversionError(
        f"{value} is not an energy per mole; return kcal/mol or kJ/mol from the Protocol", value=str(value)
    )


def kt_kcal_mol(temperature_kelvin: float) -> float:
    """Return k_B T in kcal/mol at a temperature in kelvin."""
    return _GAS_CONSTANT_J * temperature_kelvin / 1000.0 * KCAL_PER_KJ
