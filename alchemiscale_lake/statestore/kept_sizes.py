"""Sizes of kept files of Tasks and Scopes: content that several files share counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ..ids import ScopedKey
from ..store import Lake, collect
from .stored_files import stored_files

__all__ = ["KeptSizes", "kept_sizes"]


@dataclass(frozen=True, slots=True)
class KeptSizes:
    """Sizes of kept files, bytes.

    Attributes
    ----------
    by_task : mapping of str to int
        Tasks without files are missing.
    by_scope : mapping of str to int, or None
        Scopes without files are missing; None if not asked for.
    """

    by_task: Mapping[str, int]
    by_scope: Mapping[str, int] | None


def kept_sizes(lake: Lake, tasks: Sequence[str], *, of_scopes: bool) -> KeptSizes:
    """Return the sizes of the kept files of Tasks, and of all of their Scopes.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys.
    of_scopes : bool
        Whether to add up the Scopes, too, at the cost of a scan of all of their files.
    """
    scopes = sorted({str(ScopedKey.from_str(task).scope) for task in tasks})
    here = pl.col("scope").is_in(scopes)
    attempts = lake.table("results").scan().filter(here & pl.col("task").is_in(list(tasks)))
    files = stored_files(lake).filter(here)
    rows = attempts.select("scope", "attempt", "task").join(files, on=["scope", "attempt"])
    by_task = collect(rows.unique(["task", "object_path"]).group_by("task").agg(pl.col("n_bytes").sum()), "kept files")
    if not of_scopes:
        return KeptSizes(dict(by_task.iter_rows()), None)
    whole = files.unique(["scope", "object_path"]).group_by("scope").agg(pl.col("n_bytes").sum())
    return KeptSizes(dict(by_task.iter_rows()), dict(collect(whole, "kept files").iter_rows()))
