"""Human-readable names of Tasks, for progress bars, task runs and logs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

import polars as pl

from ..store import Lake, collect

__all__ = ["TaskNames", "repeat_numbers"]


class _OfTask(Protocol):
    @property
    def task(self) -> str: ...

    @property
    def transformation(self) -> str: ...


def repeat_numbers(lake: Lake, transformations: Collection[str] | None = None) -> pl.DataFrame:
    """Return the number of every Task among those of its Transformation, from 0, in order of creation.

    Parameters
    ----------
    lake : Lake
    transformations : collection of str, optional
        ScopedKeys; all by default.

    Returns
    -------
    polars.DataFrame
        Columns task, transformation, repeat.
    """
    tasks = lake.table("tasks").scan()
    if transformations is not None:
        tasks = tasks.filter(pl.col("transformation").is_in(list(transformations)))
    number = pl.int_range(pl.len()).over("transformation")
    return collect(tasks.sort("created_at", "task").select("task", "transformation", repeat=number), "Tasks")


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
            numbered = repeat_numbers(self._lake, unknown).join(collect(names, "Transformations"), on="transformation")
            rows = numbered.select("task", "name", "repeat").iter_rows()
            self._known |= {task: f"{name}-r{n}" for task, name, n in rows}
        return {t.task: self._known.get(t.task, t.task) for t in tasks}
