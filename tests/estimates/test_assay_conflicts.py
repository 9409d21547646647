"""Experimental values of one ligand that disagree."""

from __future__ import annotations

import polars as pl
import pytest

from alchemiscale_lake.estimates.assay_conflicts import conflicting_assays


def assays(low: float, high: float, uncertainty: float | None) -> pl.DataFrame:
    values = {"ligand": "a", "value_kcal_mol": high, "lowest_kcal_mol": low, "highest_kcal_mol": high}
    return pl.DataFrame(
        [{**values, "uncertainty_kcal_mol": uncertainty}], schema_overrides={"uncertainty_kcal_mol": pl.Float64}
    )


@pytest.mark.parametrize(
    ("spread", "uncertainty", "conflicts"),
    [(0.0, None, 0), (0.29, None, 0), (0.31, None, 1), (1.0, 0.3, 1), (0.8, 0.3, 0), (2.0, 1.0, 0)],
)
def test_values_conflict_beyond_their_uncertainties_and_a_third_of_a_kcal(
    spread: float, uncertainty: float | None, conflicts: int
) -> None:
    assert len(conflicting_assays(assays(-9.0, -9.0 + spread, uncertainty))) == conflicts


def test_the_note_names_the_ligand_its_range_and_what_is_used() -> None:
    (note,) = conflicting_assays(assays(-9.0, -8.0, None))

    assert note.nodes == ("a",)
    assert "between -9.00 and -8.00" in note.message
    assert "-8.00, is used" in note.message


def test_without_ranges_nothing_can_conflict() -> None:
    assert conflicting_assays(assays(-9.0, 0.0, None).drop("lowest_kcal_mol")) == []
