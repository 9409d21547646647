"""Results: which there are, and their stored objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from ...caller import Caller
from ...content import decompress
from ...errors import NotFoundError
from ...ids import ScopedKey
from ...statestore.network_members import require_transformations
from ...store import Lake
from ._rows import rows_of
from .task_calls import task_transformation

__all__ = ["result_object", "task_results", "transformations_results"]

_COLUMNS = ("transformation", "task", "attempt", "ok", "object_path", "digest", "n_bytes", "ended_at")


def transformations_results(
    lake: Lake, caller: Caller, *, transformations: Sequence[str], ok: bool = True
) -> list[list[dict[str, Any]]]:
    """Return for each Transformation its results with an object, oldest first.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformations : sequence of str
        ScopedKeys.
    ok : bool, default True
        The successful ones, or the failed ones.
    """
    caller.require_for("read", transformations)
    require_transformations(lake, transformations)
    scopes = sorted({str(ScopedKey.from_str(one).scope) for one in transformations})
    chosen = pl.col("scope").is_in(scopes) & pl.col("transformation").is_in(list(transformations))
    found = _results(lake, chosen & (pl.col("ok") == ok))
    by_transformation: dict[str, list[dict[str, Any]]] = {one: [] for one in transformations}
    for row in found:
        by_transformation[row["transformation"]].append(row)
    return [by_transformation[one] for one in transformations]


def task_results(lake: Lake, caller: Caller, *, task: str, ok: bool = True) -> list[dict[str, Any]]:
    """Return the results of a Task with an object, oldest first.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    ok : bool, default True
        The successful ones, or the failed ones.
    """
    task_transformation(lake, caller, task=task)
    scope = str(ScopedKey.from_str(task).scope)
    return _results(lake, (pl.col("scope") == scope) & (pl.col("task") == task) & (pl.col("ok") == ok))


def result_object(lake: Lake, caller: Caller, *, transformation: str, attempt: str) -> bytes:
    """Return the ProtocolDAGResult of an attempt, as its keyed chain in JSON.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformation : str
        ScopedKey.
    attempt : str

    Raises
    ------
    NotFoundError
        If nothing is stored, or if the result was imported from a file that is not a keyed chain.
    """
    caller.require_for("read", [transformation])
    scope = str(ScopedKey.from_str(transformation).scope)
    rows = rows_of(
        lake, "results", (pl.col("scope") == scope) & (pl.col("attempt") == attempt), ["object_path", "digest"]
    )
    if not len(rows) or rows["object_path"].item() is None:
        raise NotFoundError(f"{transformation} has no stored result {attempt}", attempt=attempt)
    path, digest = rows.row(0)
    content = decompress(lake.objects.get(path, digest=digest), path)
    if not content.lstrip().startswith(b"["):
        raise NotFoundError(
            f"{transformation}: result {attempt} was imported from a file of another kind ({path}), so there is no "
            "ProtocolDAGResult of it; its numbers are in `edges`, `estimates` and `sql`",
            attempt=attempt,
        )
    return content


def _results(lake: Lake, chosen: pl.Expr) -> list[dict[str, Any]]:
    rows = rows_of(lake, "results", chosen & pl.col("object_path").is_not_null(), _COLUMNS)
    ended = pl.col("ended_at").dt.to_string("iso:strict")
    return rows.sort("ended_at", "attempt").with_columns(ended).to_dicts()
