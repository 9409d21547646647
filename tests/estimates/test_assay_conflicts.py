from __future__ import annotations

import polars as pl
import pytest

from alchemiscale_lake.estimates.assay_conflicts import conflicting_assays
from alchemiscale_lake.query import connect_for, read_sql, statement
from alchemiscale_lake.store import Lake, now_utc

SCOPE = "org-campaign-project"


def values(*rows: tuple[float, float | None]) -> list[dict[str, object]]:
    common = {"scope": SCOPE, "ligand": "l2", "kind": "binding", "entered_by": "ada", "entered_at": now_utc()}
    return [
        common | {"value_kcal_mol": value, "uncertainty_kcal_mol": error, "source": f"{k}.csv"}
        for k, (value, error) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("rows", "is_conflict"),
    [
        ([(-8.84, 0.2), (-8.5, 0.1)], False),  # 0.34 apart; 1.96 times 0.22 is 0.44
        ([(-8.84, 0.1), (-8.5, 0.1)], True),  # 0.28 is less
        ([(-8.84, None), (-8.5, 0.2)], False),  # 0.39
        ([(-8.84, None), (-8.5, 0.1)], True),
        ([(-8.84, None), (-8.6, None)], False),  # below what is called a conflict
        ([(-9.0, 0.1), (-8.5, 2.0), (-8.0, 0.1)], True),  # the uncertainties are those of the extremes
    ],
)
def test_values_conflict_beyond_the_uncertainties_of_the_extremes(
    lake: Lake, rows: list[tuple[float, float | None]], is_conflict: bool
) -> None:
    lake.table("assays").append_new(values(*rows))
    found = read_sql(connect_for(lake, "current_assays"), statement("newest_assays"), {"scopes": [SCOPE]})
    notes = conflicting_assays(found)
    assert bool(notes) == is_conflict
    assert all(f"between {rows[0][0]:.2f} and {rows[-1][0]:.2f}" in note.message for note in notes)


def test_without_values_there_is_no_conflict() -> None:
    assert conflicting_assays(pl.DataFrame()) == []
