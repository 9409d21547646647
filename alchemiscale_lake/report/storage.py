"""Table of the space that kept files and results take up, by Task, network or Scope."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Final

import polars as pl

from ..query import ask, connect_for
from ..statestore.network_members import network_transformations
from ..statestore.task_names import TaskNames
from ..store import Lake
from .table import Table

__all__ = ["storage_table"]

_BYTES: Final = ("n_files", "file_bytes", "result_bytes", "shared_bytes")


def storage_table(lake: Lake, by: str, *, scope: str | None = None, network: str | None = None) -> Table:
    """Build the table, the largest first.

    Parameters
    ----------
    lake : Lake
    by : str
        `task`, `network` or `scope`.
    scope : str, optional
        Only this Scope, or those that a pattern matches.
    network : str, optional
        ScopedKey of the network whose Tasks are meant.
    """
    query = f"{by}_storage"
    rows = ask(connect_for(lake, query), query, scope=scope)
    if network is not None:
        rows = rows.filter(pl.col("transformation").is_in(network_transformations(lake, network)))
    if by == "task":
        tasks = [SimpleNamespace(**row) for row in rows.select("task", "transformation").to_dicts()]
        names = TaskNames(lake).of(tasks)
        rows = rows.with_columns(name=pl.Series([names[task.task] for task in tasks], dtype=pl.String))
    if by == "scope":
        # content is stored in one Scope
        rows = rows.with_columns(name=pl.col("scope"), shared_bytes=pl.lit(0, pl.Int64))
    key = [] if by == "scope" else [by]
    rows = rows.sort(pl.col("file_bytes") + pl.col("result_bytes"), descending=True, maintain_order=True)
    return replace(Table.of(rows.select("name", *_BYTES, *key)), keep=("name",))
