"""Results: which there are, and their stored objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from ...caller import Caller
from ...content import decompress
from ...errors import NotFoundError
from ...ids import ScopedKey
from ...networks.shared_links import is_shared, shared_keys
from ...networks.stored import packed_objects, stored_text
from ...networks.stored_results import scope_of_object
from ...statestore.network_members import require_transformations
from ...store import Lake
from ._rows import rows_of
from .task_calls import task_transformation

__all__ = ["result_object", "result_shared_objects", "task_results", "transformations_results"]

#: Folder of the objects of imported results.
_IMPORTS: Final = "imports/"

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
    """Return the ProtocolDAGResult of an attempt as it is stored: a keyed chain in JSON, compressed.

    Objects of the network may be references in it, see `networks.shared_links`; `result_shared_objects` returns these.

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
    path, digest = _stored_at(lake, caller, transformation, attempt)
    content = lake.objects.get(path, digest=digest)
    if path.startswith(_IMPORTS) and not decompress(content, path).lstrip().startswith(b"["):
        raise NotFoundError(
            f"{transformation}: result {attempt} was imported from a file of another kind ({path}), so there is no "
            "ProtocolDAGResult of it; its numbers are in `edges`, `estimates` and `sql`",
            attempt=attempt,
        )
    return content


def result_shared_objects(
    lake: Lake, caller: Caller, *, transformation: str, attempt: str, keys: Sequence[str]
) -> dict[str, bytes]:
    """Return the JSON text, compressed, of stored objects to which the result of an attempt refers.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformation : str
        ScopedKey.
    attempt : str
    keys : sequence of str
        gufe keys; those to which the result does not refer are left out.

    Raises
    ------
    NotFoundError
        If nothing is stored, or the lake lacks an object.
    """
    path, digest = _stored_at(lake, caller, transformation, attempt)
    content, scope = decompress(lake.objects.get(path, digest=digest), path), scope_of_object(path)
    # nothing else of a Scope that the caller may not read
    wanted = [key for key in shared_keys(content, path) if key in set(keys)] if is_shared(content) else []
    found = packed_objects(lake.table("gufe_objects").scan(), scope, wanted)
    lacking = sorted(set(wanted) - found.keys())
    if lacking:
        raise NotFoundError(f"Scope {scope} has no object {lacking[0]}, which result {attempt} refers to", keys=lacking)
    for key, (packed, content_digest) in found.items():
        stored_text(packed, content_digest, f"{key} in Scope {scope}")  # a damaged one is named here
    return {key: packed for key, (packed, _) in found.items()}


def _stored_at(lake: Lake, caller: Caller, transformation: str, attempt: str) -> tuple[str, str | None]:
    """Return path and digest of the object of a result."""
    caller.require_for("read", [transformation])
    scope = str(ScopedKey.from_str(transformation).scope)
    chosen = (pl.col("scope") == scope) & (pl.col("transformation") == transformation) & (pl.col("attempt") == attempt)
    rows = rows_of(lake, "results", chosen, ["object_path", "digest"])
    if not len(rows) or rows["object_path"].item() is None:
        raise NotFoundError(f"{transformation} has no stored result {attempt}", attempt=attempt)
    path, digest = rows.row(0)
    return path, digest


def _results(lake: Lake, chosen: pl.Expr) -> list[dict[str, Any]]:
    rows = rows_of(lake, "results", chosen & pl.col("object_path").is_not_null(), _COLUMNS)
    ended = pl.col("ended_at").dt.to_string("iso:strict")
    return rows.sort("ended_at", "attempt").with_columns(ended).to_dicts()
