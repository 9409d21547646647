from __future__ import annotations

import math

import pytest

from alchemiscale_lake.errors import UnitConversionError
from alchemiscale_lake.units import kcal_mol, kt_kcal_mol


def test_numbers_are_taken_as_they_are_and_the_rest_is_missing() -> None:
    assert kcal_mol(1.5) == 1.5
    assert kcal_mol(2) == 2.0
    assert kcal_mol(None) is None
    assert kcal_mol(math.nan) is None
    assert kcal_mol(math.inf) is None


def test_openff_quantities() -> None:
    unit = pytest.importorskip("openff.units", reason="openff-units is not installed").unit
    assert kcal_mol(4.184 * unit.kilojoule_per_mole) == pytest.approx(1.0, abs=1e-12)
    assert kcal_mol(-2.0 * unit.kilocalorie_per_mole) == pytest.approx(-2.0, abs=1e-12)
    with pytest.raises(UnitConversionError, match="energy per mole"):
        kcal_mol(3.0 * unit.nanometer)


def test_openmm_quantities() -> None:
    unit = pytest.importorskip("openmm.unit", reason="openmm is not installed")
    assert kcal_mol(8.368 * unit.kilojoule_per_mole) == pytest.approx(2.0, abs=1e-12)
    with pytest.raises(UnitConversionError):
        kcal_mol(3.0 * unit.nanometer)


@pytest.mark.parametrize("value", ["low", [], {}, object()])
def test_units_that_are_not_energies(value: object) -> None:
    with pytest.raises(UnitConversionError):
        kcal_mol(value)


def test_thermal_energy_at_room_temperature() -> None:
    # CODATA 2018: R = 8.31446261815324 J/(mol K)
    assert kt_kcal_mol(298.15) == pytest.approx(0.592484, abs=1e-6)
