"""Science names of Tasks: what people read in a progress bar, a task run, a log."""

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
    """The Transformation's name and which of its Tasks this is. Remembers what it looked up."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[str, str] = {}

    def of(self, tasks: Iterable[_OfTask]) -> dict[str, str]:
        """Names by Task, such as `rhfe_phenol_toluene-r1`."""
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
