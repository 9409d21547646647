"""Energies and exceptions of imported results."""

from __future__ import annotations

from typing import Any

import pytest

from alchemiscale_lake.networks.imported import energy_kcal_mol, failure_text


@pytest.mark.parametrize(
    ("quantity", "kcal_mol"),
    [
        ({"magnitude": 4.184, "unit": "kilojoule_per_mole"}, 1.0),
        ({"magnitude": 4.184, "unit": "kilojoule / mole"}, 1.0),
        ({"magnitude": 1.0, "unit": "kilocalorie / mole"}, 1.0),
        ({"val": 1.0, "unit": "kilocalorie_per_mole"}, 1.0),
        (1.0, 1.0),
    ],
)
def test_units_of_energy(quantity: Any, kcal_mol: float) -> None:
    assert energy_kcal_mol(quantity) == pytest.approx(kcal_mol, rel=1e-15)


def test_exceptions_are_one_line() -> None:
    assert failure_text(["ValueError", ["a", 1]]) == "ValueError: a, 1"
    assert failure_text(["KeyError", "b"]) == "KeyError: b"
    assert failure_text("whatever") == "whatever"
