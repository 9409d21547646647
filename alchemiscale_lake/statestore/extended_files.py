"""Kept files of Tasks that others extend, and where the extending Tasks find them."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

import polars as pl

from ..execution.assignment import ExtendedFile
from ..ids import ScopedKey
from ..settings import FileRules
from ..store import Lake, collect
from .result_recording import GoodResult
from .stored_files import stored_files

__all__ = ["extended_files"]

#: Folders of kept files; of two files with the same unit and name, the one from the first counts.
_FOLDERS: Final = ("permanent", "shared", "scratch")


def extended_files(
    lake: Lake, results: Mapping[str, GoodResult], rules: FileRules
) -> dict[str, tuple[ExtendedFile, ...]]:
    """Return the files that were kept with results, by Task.

    Parameters
    ----------
    lake : Lake
    results : mapping of str to GoodResult
        Result that is extended, by ScopedKey of its Task.
    rules : FileRules
        Which of them extending Tasks get.
    """
    if not results or not rules.extended:
        return {}
    tasks = {result.attempt: task for task, result in results.items()}
    scopes = sorted({str(ScopedKey.from_str(task).scope) for task in results})
    kept = stored_files(lake).filter(pl.col("scope").is_in(scopes) & pl.col("attempt").is_in(list(tasks)))
    rows = collect(kept.select("attempt", "path", "object_path", "digest", "n_bytes"), "kept files").sort("path")
    found: dict[str, dict[str, ExtendedFile]] = {task: {} for task in results}
    for folder in _FOLDERS:
        for attempt, path, *content in rows.iter_rows():
            place, _, rest = path.partition("/")
            if place == folder and any(fnmatchcase(path, pattern) for pattern in rules.extended):
                task = tasks[attempt]
                location = f"{ScopedKey.from_str(task).token}/{_of_unit(folder, rest)}"
                found[task].setdefault(location, ExtendedFile(location, *content))
    return {task: tuple(files.values()) for task, files in found.items() if files}


def _of_unit(folder: str, rest: str) -> str:
    """Return unit and name of a file; scratch folders are numbered by execution."""
    run, _, name = rest.partition("/")
    return f"{run.rpartition('-')[0] if folder == 'scratch' else run}/{name}"
