"""Tasks that cannot run in this environment because their Protocol is not installed."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from .. import gufe_adapter
from ..store import Lake, collect
from .claims import Selection

__all__ = ["NotRunnable", "not_runnable"]


@dataclass(frozen=True, slots=True)
class NotRunnable:
    """Claimable Tasks that would fail immediately here.

    Attributes
    ----------
    transformations : frozenset of str
        ScopedKeys of all Transformations, with or without Tasks, whose Protocol cannot be imported.
    n_tasks : int
        Number of waiting Tasks of the selection with such a Protocol.
    n_others : int
        Number of the other waiting Tasks.
    why : tuple of str
        Each missing Protocol, with advice.
    """

    transformations: frozenset[str]
    n_tasks: int
    n_others: int
    why: tuple[str, ...]


def not_runnable(lake: Lake, selection: Selection) -> NotRunnable | None:
    """Return the Tasks of a selection that this environment cannot run; None if there are none."""
    waiting = selection.candidates(lake.task_log.states().claimable()).unique("task").select("task", "transformation")
    if waiting.is_empty():
        return None
    rows = lake.table("transformations").scan().select("transformation", "protocol_module", "protocol_qualname")
    known = collect(rows.filter(pl.col("protocol_module").is_not_null()), "table 'transformations'")
    needed = known.join(waiting, on="transformation", how="semi")
    names = needed.select("protocol_module", "protocol_qualname").unique().sort("protocol_module", "protocol_qualname")
    missing = gufe_adapter.missing_among(names.rows())
    if not missing:
        return None
    absent = pl.DataFrame(list(missing), schema=names.schema, orient="row")
    without = known.join(absent, on=["protocol_module", "protocol_qualname"], how="semi")
    n_tasks = len(waiting.join(without, on="transformation", how="semi"))
    return NotRunnable(
        frozenset(without["transformation"]), n_tasks, len(waiting) - n_tasks, tuple(sorted(missing.values()))
    )
