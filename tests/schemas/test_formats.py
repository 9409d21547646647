"""No table changes without a new format: lakes of every format that ever existed must be understood for ever."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pyarrow as pa
import pytest

from alchemiscale_lake.schemas import FORMAT, TABLES, Column, TableSchema
from alchemiscale_lake.store.migrations import steps_after
from tests.schema_formats import archive_of, described, kept, path_of

HOW = "give what is new `since` the next format and raise FORMAT: docs/recipes.md"
NAME = "assays"


def test_the_tables_are_those_of_the_current_format() -> None:
    assert path_of(FORMAT).exists(), "write them with `python -m tests.schema_formats`"
    assert described(FORMAT) == kept(FORMAT), HOW


@pytest.mark.parametrize("format_", range(1, FORMAT))
def test_what_older_formats_had_is_unchanged(format_: int) -> None:
    """Unless a step that changes existing tables came since: then older lakes only open once it is done."""
    if all(step.additive for step in steps_after(format_)):
        assert described(format_) == kept(format_), HOW


@pytest.mark.parametrize("format_", range(1, FORMAT))
def test_of_every_former_format_a_lake_is_kept(format_: int) -> None:
    assert archive_of(format_).exists()


@pytest.mark.parametrize("format_", range(2, FORMAT + 1))
def test_every_format_brings_something(format_: int) -> None:
    steps = [step for step in steps_after(format_ - 1) if step.to == format_]
    assert kept(format_) != kept(format_ - 1) or not all(step.additive for step in steps)


# --- the first test fails for every kind of change -------------------------------------------------


def change(schema: TableSchema, **columns: object) -> TableSchema:
    return replace(schema, columns=tuple(replace(c, **columns) if c.name == "source" else c for c in schema.columns))


ASSAYS = TABLES[NAME]
CHANGES: dict[str, TableSchema] = {
    "a column is added": replace(ASSAYS, columns=(*ASSAYS.columns, Column("x", pa.string(), "X.", nullable=True))),
    "a column is removed": replace(ASSAYS, columns=tuple(c for c in ASSAYS.columns if c.name != "source")),
    "a column is renamed": change(ASSAYS, name="origin"),
    "a type changes": change(ASSAYS, type=pa.large_string()),
    "a value may be missing": change(
        ASSAYS, nullable=not next(c for c in ASSAYS.columns if c.name == "source").nullable
    ),
    "the key changes": replace(ASSAYS, key=ASSAYS.key[:-1]),
    "the partitioning changes": replace(ASSAYS, partition_by=()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_is_noticed_if(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, NAME, CHANGES[what])
    assert described(FORMAT) != kept(FORMAT)


def test_it_is_noticed_if_a_table_is_added_or_removed() -> None:
    with patch.dict(TABLES, {"more": replace(ASSAYS, name="more")}):
        assert described(FORMAT) != kept(FORMAT)
    with patch.dict(TABLES):  # which brings tables back in their order
        del TABLES[NAME]
        assert described(FORMAT) != kept(FORMAT)


def test_what_the_next_format_brings_leaves_this_one_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Column("x", pa.string(), "X.", nullable=True, since=FORMAT + 1)
    monkeypatch.setitem(TABLES, NAME, replace(ASSAYS, columns=(*ASSAYS.columns, new)))
    monkeypatch.setitem(TABLES, "more", replace(ASSAYS, name="more", since=FORMAT + 1))
    assert described(FORMAT) == kept(FORMAT)
    assert described(FORMAT + 1) != kept(FORMAT)
