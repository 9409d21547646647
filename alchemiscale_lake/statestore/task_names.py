"""Human-readable names of Tasks, for progress bars, task runs and logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import polars as pl

from ..store import Lake, collect

__all__ = ["TaskNames"]


class _OfTask(Protocol):
    @property
    def task(self) -> str: ...

    @property
    def transformation(self) -> str: ...


class TaskNames:
    """Names of Tasks: the Transformation's name and an index. Lookups are cached."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[str, str] = {}

    def of(self, tasks: Iterable[_OfTask]) -> dict[str, str]:
        """Return names by Task, such as `rhfe_phenol_toluene-r1`."""
        tasks = list(tasks)
        unknown = {t.transformation for t in tasks if t.task not in self._known}
        if unknown:
            wanted = pl.col("transformation").is_in(list(unknown))
            names = self._lake.table("transformations").scan().filter(wanted).select("transformation", "name")
            rows = (
                self._lake.table("tasks")
                .scan()
                .filter(wanted)
                .join(names, on="transformation")
                .sort("created_at", "task")
            )
            numbered = collect(
                rows.select("task", "name", n=pl.int_range(pl.len()).over("transformation")), "names of Tasks"
            )
            self._known |= {task: f"{name}-r{n}" for task, name, n in numbered.iter_rows()}
        return {t.task: self._known.get(t.task, t.task) for t in tasks}
