"""Tasks that cannot run in this environment because their Protocol is not installed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from .. import gufe_adapter
from ..plurals import count, verb
from ..store import Lake, collect
from .claims import Selection

__all__ = ["NotRunnable", "Runnable", "not_runnable", "stays_waiting"]

_log = logging.getLogger(__name__)
#: Trying to import a class costs a process.
_AGAIN_S: Final = 600.0
_CLASS: Final = ("protocol_module", "protocol_qualname")


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
    """Return the Tasks of a selection that this environment cannot run; None if there are none.

    Parameters
    ----------
    lake : Lake
    selection : Selection
        Tasks to consider; by default, all of the lake.
    """
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


class Runnable:
    """Keeps from a dispatcher Tasks whose Protocol is not installed here, also those that are submitted later.

    Which class a Transformation needs is looked up once; whether a class is missing, every ten minutes.

    Parameters
    ----------
    lake : Lake
    clock : callable
        Monotonic, seconds.
    """

    def __init__(self, lake: Lake, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake, self._clock = lake, clock
        self._looked_at = clock()
        self._classes = pl.DataFrame(schema=dict.fromkeys(("transformation", *_CLASS), pl.String))
        self._missing: dict[tuple[str, str], str] = {}
        self._present: set[tuple[str, str]] = set()
        self._named: set[str] = set()

    def refresh(self) -> None:
        """Look periodically for classes that were missing: they may have been installed."""
        if self._clock() - self._looked_at >= _AGAIN_S:
            self._looked_at, self._missing = self._clock(), {}

    def only(self, candidates: pl.DataFrame) -> pl.DataFrame:
        """Return the candidates (with a column transformation) that this environment can run; name what is missing.

        Raises
        ------
        StorageError
            If the lake does not answer.
        """
        self._look_up(candidates.select("transformation").unique())
        needed = self._classes.join(candidates, on="transformation", how="semi").select(_CLASS).drop_nulls().unique()
        new = [name for name in needed.sort(_CLASS).rows() if name not in self._present and name not in self._missing]
        if new:
            self._missing |= gufe_adapter.missing_among(new)
            self._present |= set(new) - self._missing.keys()
        if not self._missing:
            return candidates
        absent = pl.DataFrame(list(self._missing), schema=dict.fromkeys(_CLASS, pl.String), orient="row")
        without = self._classes.join(absent, on=_CLASS, how="semi")
        self._name(candidates.join(without, on="transformation", how="semi"))
        return candidates.join(without, on="transformation", how="anti", maintain_order="left")

    def _look_up(self, wanted: pl.DataFrame) -> None:
        unknown = wanted.join(self._classes, on="transformation", how="anti")
        if unknown.is_empty():
            return
        rows = self._lake.table("transformations").scan().select("transformation", *_CLASS)
        found = collect(rows.filter(pl.col("transformation").is_in(list(unknown["transformation"]))), "Transformations")
        # one without a row needs nothing that we know of, and is not looked for again
        known = unknown.join(found.unique("transformation"), on="transformation", how="left")
        self._classes = pl.concat([self._classes, known.select(self._classes.columns)])

    def _name(self, left: pl.DataFrame) -> None:
        """Log each missing class once, with the Tasks that wait for it."""
        n_tasks = left["task"].n_unique() if len(left) else 0
        new = sorted(set(self._missing.values()) - self._named) if n_tasks else []
        if new:
            self._named |= set(new)
            _log.warning("%s: %s", stays_waiting(n_tasks), "; ".join(new))


def stays_waiting(n_tasks: int) -> str:
    """Return the words for a number of Tasks that cannot run here."""
    return f"{count(n_tasks, 'Task')} cannot run here and {verb(n_tasks, 'stays', 'stay')} waiting"
