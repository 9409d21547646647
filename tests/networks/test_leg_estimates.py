"""Legs of one Protocol, without gufe: signs, corrections, pairs of repeats."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from alchemiscale_lake.networks.leg_estimates import leg_rows, legs_estimate
from tests.networks.leg_results import unit


@pytest.mark.parametrize(
    ("protocol", "legs", "value"),
    [
        ("AbsoluteBindingProtocol", {"solvent": [unit(10)], "complex": [unit(30, **{"": -9})]}, -11),
        ("AbsoluteSolvationProtocol", {"vacuum": [unit(1)], "solvent": [unit(4)]}, -3),
        (
            "SepTopProtocol",
            {"complex": [unit(20, _A=-8, _B=9)], "solvent": [unit(5, **{"": -2})]},
            18,
        ),
        ("SepTopProtocol", {"complex": [unit(20)]}, None),
        ("OtherProtocol", {"complex": [unit(20)]}, None),
    ],
)
def test_legs_have_signs_and_corrections(protocol: str, legs: dict[str, Any], value: float | None) -> None:
    found = legs_estimate(protocol, legs)

    assert found.estimate_kcal_mol == value
    assert found.uncertainty_kcal_mol == (None if value is None else pytest.approx(0.5**0.5))
    assert found.replicates == ()


def test_repeats_of_legs_are_paired_by_number_whatever_their_order() -> None:
    legs = {"vacuum": [unit(1, 0), unit(2, 1), unit(3, 2)], "solvent": [unit(6, 2), unit(4, 0), unit(5, 1)]}

    found = legs_estimate("AbsoluteSolvationProtocol", legs)

    assert found[:2] == (-3, pytest.approx(2**0.5))
    assert found.replicates == tuple((-3, pytest.approx(0.5**0.5)) for _ in range(3))


@pytest.mark.parametrize("solvent", [[unit(4)], [unit(3, 0), unit(5, 3), unit(4, 2)], [unit(3, 0), unit(5, 0)]])
def test_legs_of_different_repeats_are_one_result(solvent: list[dict[str, Any]]) -> None:
    found = legs_estimate(
        "AbsoluteSolvationProtocol", {"vacuum": [unit(k + 1, k) for k in range(3)], "solvent": solvent}
    )

    values = [one["outputs"]["unit_estimate"]["magnitude"] for one in solvent]
    of_solvent = statistics.variance(values) if len(values) > 1 else 0.25
    assert found[:2] == (-2, pytest.approx((1 + of_solvent) ** 0.5))
    assert found.replicates == ()


def test_rows_of_legs_are_repeats_and_corrections_with_their_own_signs() -> None:
    legs = {"solvent": [unit(5, 1, **{"": 0}), unit(4, 0)], "complex": [unit(30, 0, **{"": -9}), unit(20, 1, _A=0)]}

    found = leg_rows(legs)

    assert [tuple(row) for row in found] == [
        ("complex", 30, 0.5),
        ("complex", 20, 0.5),
        ("solvent", 4, 0.5),
        ("solvent", 5, 0.5),
        ("standard_state_correction", -9, 0),
        ("standard_state_correction_A", 0, 0),
    ]
