"""The scale of ligands, and notes for people."""

from __future__ import annotations

import polars as pl
import pytest

from alchemiscale_lake.ids import Scope
from alchemiscale_lake.report.ligand_notes import ligand_notes, notes_of, scale_of

NOTES = ["experiment-pinned: nodes on the absolute scale of experiment: 2", "shared-error: 0.2 kcal/mol is added"]


def known(*rows: tuple[bool, list[str]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={"absolute": pl.Boolean, "notes": pl.List(pl.String)}, orient="row")


@pytest.mark.parametrize(
    ("rows", "scale"),
    [
        ([(False, [])], "values are relative: their mean is zero"),
        ([(True, NOTES)], "values are on the scale of experiment: their mean over measured ligands is that of the"),
        ([(True, ["absolute-results: x"])], "values are absolute: absolute results fix their zero"),
        ([(True, NOTES), (False, [])], "values of each part are on the scale of experiment"),
    ],
)
def test_the_scale_of_values(rows: list[tuple[bool, list[str]]], scale: str) -> None:
    assert scale_of(known(*rows)).startswith(scale)


def test_advice_needs_a_scope() -> None:
    assert "assays" not in scale_of(known((False, [])))
    assert "`alchemiscale-lake assays FILE --scope a-b-c`" in scale_of(known((False, [])), Scope("a", "b", "c"))


def test_notes_are_distinct_and_without_codes_or_those_of_the_solver() -> None:
    rows = known((True, NOTES), (True, NOTES))
    assert notes_of(rows) == ["0.2 kcal/mol is added"]
    assert notes_of(rows, only=frozenset({"exact-edges"})) == []
    assert ligand_notes(rows) == [scale_of(rows), "0.2 kcal/mol is added"]
    assert ligand_notes(rows.clear()) == []
