"""Records of results and of their units, and shares of compute. Frames travel as Arrow IPC streams."""

from __future__ import annotations

import polars as pl

from ...caller import Caller
from ...errors import NotFoundError
from ...ids import Scope, ScopedKey
from ...statestore.compute_share import compute_share
from ...statestore.task_attempts import find_task, task_attempts
from ...store import Lake
from ._rows import list_scopes, rows_of, stream_of
from .task_calls import task_transformation

__all__ = ["result_unit_recs", "scope_compute_share", "task_result_recs"]

_RESULT = (
    "attempt", "task", "transformation", "ok", "ended_at", "estimate_kcal_mol", "uncertainty_kcal_mol", "exception",
    "hostname", "n_bytes",
)  # fmt: skip
_UNIT = (
    "attempt", "unit", "try_number", "name", "ok", "exception", "started_at", "ended_at", "stdout_path",
    "stderr_path", "log_path",
)  # fmt: skip


def scope_compute_share(lake: Lake, caller: Caller, *, scope: str) -> float:
    """Return the share of running Tasks that a Scope has among those next to it, see `statestore.compute_share`.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    scope : str
        A Scope, or a pattern with at least the organisation.
    """
    return compute_share(lake, scope, caller=caller)


def task_result_recs(lake: Lake, caller: Caller, *, task: str, ok: bool | None = None) -> bytes:
    """Return one row per result of a Task, with the dispatcher of its attempt; newest first.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    ok : bool, optional
        Only successful ones, or only failed ones.
    """
    task_transformation(lake, caller, task=task)
    chosen = (pl.col("scope") == str(ScopedKey.from_str(task).scope)) & (pl.col("task") == task)
    rows = rows_of(lake, "results", chosen if ok is None else chosen & (pl.col("ok") == ok), _RESULT)
    dispatchers = task_attempts(lake, [task]).select("attempt", "dispatcher")
    return stream_of(rows.join(dispatchers, on="attempt", how="left").sort("ended_at", "attempt", descending=True))


def result_unit_recs(lake: Lake, caller: Caller, *, result: str) -> bytes:
    """Return one row per execution of a unit of a result, in the order in which they ran.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    result : str
        Identifier of its attempt.

    Raises
    ------
    NotFoundError
        If the lake has no such result, or none that the caller may read.
    """
    scopes = None if caller.may("read", Scope()) else list_scopes(lake, caller)
    task, named = find_task(lake, result, scopes=scopes)
    chosen = (pl.col("scope") == str(ScopedKey.from_str(task).scope)) & (pl.col("attempt") == (named or ""))
    if rows_of(lake, "results", chosen, ["attempt"]).is_empty():
        raise NotFoundError(f"{result!r} is not the id of a result", value=result)
    return stream_of(rows_of(lake, "unit_results", chosen, _UNIT).sort("started_at", "try_number", "name"))
