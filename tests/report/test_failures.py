"""Failures of one kind: the same exception in the same unit, whatever its numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from alchemiscale_lake.report.failures import failure_kinds, failures_table


def failures(*rows: tuple[str, str | None, str, str, int]) -> pl.DataFrame:
    """Return failures: exception, unit, Task, Transformation, hour of the end."""
    names = ["exception", "unit", "task", "transformation", "hour"]
    ended_at = [datetime(2026, 1, 1, row[-1], tzinfo=UTC) for row in rows]
    frame = pl.DataFrame(rows, schema_overrides={"unit": pl.String}, schema=names, orient="row").drop("hour")
    return frame.with_columns(
        ended_at=pl.Series(ended_at), transformation_name=pl.col("transformation"), traceback=pl.lit("")
    )


@pytest.mark.parametrize(
    ("one", "other", "n_kinds"),
    [
        ("NaN at step 12", "NaN at step 9000", 1),
        ("energy 1.5e-3", "energy -2", 2),
        ("no /scratch/a/b", "no /tmp/c", 1),
        ("object at 0x7f01", "object at 0x1", 1),
        ("key 0123456789abcdef0123456789abcdef", "key fedcba9876543210fedcba9876543210", 1),
        ("ValueError: x", "TypeError: x", 2),
    ],
)
def test_numbers_paths_and_keys_do_not_make_a_kind(one: str, other: str, n_kinds: int) -> None:
    kinds = failure_kinds(failures((one, "u", "t1", "T", 1), (other, "u", "t2", "T", 2)))

    assert kinds.height == n_kinds


def test_a_kind_shows_its_newest_failure_and_the_most_frequent_is_first() -> None:
    kinds = failure_kinds(
        failures(
            ("rare", "b", "t9", "T3", 20),
            ("NaN 1", "repeat 0", "t1", "T1", 1),
            ("NaN 3", "repeat 2", "t2", "T2", 3),
            ("NaN 2", "repeat 1", "t1", "T1", 2),
        )
    )

    first = kinds.row(0, named=True)
    assert kinds["n"].to_list() == [3, 1]
    assert (first["exception"], first["unit"], first["tasks"]) == ("NaN 3", "repeat 2", 2)
    assert (first["first_ended_at"].hour, first["last_ended_at"].hour) == (1, 3)
    shown = failures_table(kinds)
    column = shown.columns.index("transformations")
    assert [row[column] for row in shown.rows] == ["T2 and 1 more", "T3"]


def test_failures_outside_of_a_unit_are_a_kind_of_their_own() -> None:
    assert failure_kinds(failures(("x", None, "t1", "T", 1), ("x", "u", "t2", "T", 2))).height == 2
