"""Failures grouped by kind: the same exception in the same unit, ignoring numbers."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from .table import Table

__all__ = ["failure_kinds", "failures_table"]

#: Ignored when failures are compared: numbers, addresses, keys and paths of single Tasks.
_PARTICULAR: Final = re.compile(r"0x[0-9a-f]+|[0-9a-f]{32}|\d+(?:\.\d+)?(?:e[+-]?\d+)?|/\S+", re.IGNORECASE)


def failure_kinds(failures: pl.DataFrame) -> pl.DataFrame:
    """Group the result of the named query `failures` by kind, most frequent first.

    Returns
    -------
    polars.DataFrame
        One row per kind: `n`, `tasks`, `exception`, `unit`, `transformation_name` and `traceback` of the newest,
        `first_ended_at`, `last_ended_at`.
    """
    kind = pl.col("exception").map_elements(lambda text: _PARTICULAR.sub("#", text), return_dtype=pl.String)
    unit = pl.col("unit").fill_null("").str.replace_all(r"\d+", "#")
    newest = pl.all().exclude("kind", "unit_kind").sort_by("ended_at").last()
    grouped = (
        failures.with_columns(kind=kind, unit_kind=unit)
        .group_by("kind", "unit_kind")
        .agg(
            newest,
            n=pl.len(),
            tasks=pl.col("task").n_unique(),
            n_transformations=pl.col("transformation").n_unique(),
            first_ended_at=pl.col("ended_at").min(),
            last_ended_at=pl.col("ended_at").max(),
        )
    )
    return grouped.sort("n", "last_ended_at", descending=True)


def failures_table(kinds: pl.DataFrame) -> Table:
    """Build a table of the kinds of failures, with counts and Transformations."""
    others = pl.col("n_transformations") - 1
    where = pl.when(others > 0).then(pl.format("{} and {} more", "transformation_name", others))
    shown = kinds.with_columns(transformations=where.otherwise(pl.col("transformation_name")))
    return Table.of(shown.select("n", "tasks", "exception", "unit", "transformations", "last_ended_at"))
