"""Kept files of Tasks: which there are, and copies of them on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import polars as pl

from ..ids import ScopedKey
from ..store import Lake, collect, copy_content

__all__ = ["copy_file", "files_of_tasks", "task_files"]

_COLUMNS: Final = ("attempt", "path", "unit", "n_bytes", "kept_by", "digest", "object_path")


def task_files(lake: Lake, task: str, *, attempt: str | None = None, pattern: str = "*") -> pl.DataFrame:
    """Return the kept files of a Task, and those that were not kept or were given up later, with the reason.

    Parameters
    ----------
    lake : Lake
    task : str
        ScopedKey.
    attempt : str, optional
        Only files of this attempt.
    pattern : str, default "*"
        Only files whose path matches; `*` also matches `/`.

    Returns
    -------
    polars.DataFrame
        Columns attempt, path, unit, n_bytes, kept_by, digest, object_path, reason; newest attempt first. Without
        `object_path`, the content is not in the lake.
    """
    return files_of_tasks(lake, [task], attempt=attempt, pattern=pattern).drop("task")


def files_of_tasks(lake: Lake, tasks: Sequence[str], *, attempt: str | None = None, pattern: str = "*") -> pl.DataFrame:
    """Return the same of many Tasks.

    Parameters
    ----------
    lake : Lake
    tasks : sequence of str
        ScopedKeys.
    attempt : str, optional
        Only files of this attempt.
    pattern : str, default "*"
        Only files whose path matches; `*` also matches `/`.

    Returns
    -------
    polars.DataFrame
        As `task_files`, with column task, which the rows are sorted by first.
    """
    here = pl.col("scope").is_in(sorted({str(ScopedKey.from_str(task).scope) for task in tasks}))
    results = lake.table("results").scan().filter(here & pl.col("task").is_in(list(tasks)))
    attempts = results.select("scope", "attempt", "task", "started_at")
    parts = []
    for table in ("result_files", "refused_files"):
        rows = lake.table(table).scan().filter(here)
        found = collect(rows.join(attempts, on=["scope", "attempt"]), f"table '{table}'")
        nothing = [
            pl.lit(None, pl.String).alias(n) for n in ("digest", "object_path", "reason") if n not in found.columns
        ]
        found = found.with_columns(nothing)
        if table == "result_files":
            found = _with_pruned(lake, found, here)
        parts.append(found.select("started_at", "task", *_COLUMNS, "reason"))
    order = ["task", "started_at", "attempt", "path"]
    files = pl.concat(parts).sort(order, descending=[False, True, True, False]).drop("started_at")
    files = files.filter(pl.Series([fnmatchcase(path, pattern) for path in files["path"]], dtype=pl.Boolean))
    return files if attempt is None else files.filter(pl.col("attempt") == attempt)


def _with_pruned(lake: Lake, rows: pl.DataFrame, here: pl.Expr) -> pl.DataFrame:
    """Return rows of `result_files` with the reason in place of the content where this was given up."""
    key = ["scope", "attempt", "path"]
    given_up = lake.table("pruned_files").scan().filter(here)
    why = pl.format(
        "deleted on {} by {}: {}", pl.col("pruned_at").dt.strftime("%Y-%m-%d"), "pruned_by", pl.col("reason")
    )
    pruned = collect(given_up.select(*key, why.alias("pruned")), "table 'pruned_files'")
    kept = pl.when(pl.col("pruned").is_null()).then(pl.col("object_path"))
    return rows.join(pruned, on=key, how="left").with_columns(object_path=kept, reason=pl.col("pruned"))


def copy_file(
    lake: Lake, file: Mapping[str, Any], target: Path, *, tell: Callable[[int], object] = lambda _: None
) -> bool:
    """Copy a kept file to this machine, block by block; an interrupted copy is continued.

    It appears under its name when it is complete and has the digest recorded for it.

    Parameters
    ----------
    lake : Lake
    file : mapping of str to object
        Row of `task_files` with an `object_path`.
    target : Path
        File to write or replace.
    tell : callable, optional
        Called with the number of bytes of each block.

    Returns
    -------
    bool
        Whether it was copied; False if the same content was there.

    Raises
    ------
    DamagedError
        If the content does not have the recorded digest.
    NotFoundError, StorageError, OSError
    """
    return copy_content(
        lambda start: lake.objects.read_stream(file["object_path"], start=start),
        target,
        what=file["object_path"],
        digest=file["digest"],
        n_bytes=file["n_bytes"],
        tell=tell,
    )
