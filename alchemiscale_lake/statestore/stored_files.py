"""Rows of kept files whose content is in the lake: those of `result_files` that were not given up."""

from __future__ import annotations

from typing import Final

import polars as pl

from ..store import Lake, rely_on_content
from ..store.parallel_requests import at_once

__all__ = ["pruned_files", "relied_on", "stored_files"]

_KEY: Final = ["scope", "attempt", "path"]


def stored_files(lake: Lake) -> pl.LazyFrame:
    """Return the rows of `result_files` whose content is in the lake."""
    rows = lake.table("result_files").scan()
    return rows.join(pruned_files(lake), on=_KEY, how="anti")


def pruned_files(lake: Lake) -> pl.LazyFrame:
    """Return the keys of the rows of `result_files` whose content was given up."""
    return lake.table("pruned_files").scan().select(_KEY)


def relied_on(lake: Lake, rows: pl.DataFrame, reason: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Mark that attempts rely on content that others have stored, before their rows are written.

    Parameters
    ----------
    lake : Lake
    rows : polars.DataFrame
        Rows of `result_files` to be written.
    reason : str
        Why a file is refused whose content is about to be deleted.

    Returns
    -------
    polars.DataFrame, polars.DataFrame
        Rows of `result_files` that may be written, and rows of `refused_files` for the others.

    Raises
    ------
    StorageError
    """
    named = list(rows.select("object_path", "attempt").iter_rows())
    sound = pl.Series(at_once(lambda one: rely_on_content(lake.objects, *one), named), dtype=pl.Boolean)
    refused = rows.filter(~sound).with_columns(kept_by=pl.col("kept_by").fill_null("unknown"), reason=pl.lit(reason))
    return rows.filter(sound), refused.select(lake.table("refused_files").schema.names)
