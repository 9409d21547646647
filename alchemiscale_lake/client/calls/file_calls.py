"""Kept files: which there are, their content block by block, URLs of it, and how much is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from ...caller import Caller
from ...errors import NotFoundError
from ...ids import ScopedKey
from ...query import ask
from ...statestore.task_files import files_of_tasks
from ...store import Lake
from ._rows import connection_for, members_of, require_rows, rows_of, stream_of

__all__ = ["file_block", "file_url", "kept_files", "networks_storage", "tasks_storage"]

#: Largest block of a file that one call returns.
_MOST_BYTES: Final = 16 * 2**20
_NETWORK: Final = "AlchemicalNetwork"
_STORAGE: Final = ("n_files", "result_bytes", "file_bytes", "shared_bytes")


def kept_files(
    lake: Lake, caller: Caller, *, keys: Sequence[str], pattern: str = "*", attempt: str | None = None
) -> bytes:
    """Return the files of Tasks and networks, and those that were not kept or were deleted, with the reason.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    keys : sequence of str
        ScopedKeys of Tasks and networks.
    pattern : str, default "*"
        Only files whose path matches; `*` also matches `/`.
    attempt : str, optional
        Only files of this attempt.
    """
    caller.require_for("read", keys)
    networks = [key for key in keys if key.startswith(f"{_NETWORK}-")]
    tasks = [key for key in keys if key not in set(networks)]
    members = [member for network in networks for member in members_of(lake, network, "transformation")]
    known = lake.task_log.states().tasks
    require_rows(known.filter(pl.col("task").is_in(tasks)), "task", tasks, "Task")
    tasks += known.filter(pl.col("transformation").is_in(members))["task"].to_list()
    rows = files_of_tasks(lake, list(dict.fromkeys(tasks)), attempt=attempt, pattern=pattern)
    return stream_of(rows.with_columns(stored=pl.col("object_path").is_not_null()).drop("object_path"))


def file_block(
    lake: Lake, caller: Caller, *, task: str, attempt: str, path: str, start: int = 0, n_bytes: int = _MOST_BYTES
) -> bytes:
    """Return part of a kept file; less than asked for at its end, and where that is much.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    attempt : str
    path : str
        As `kept_files` returns it.
    start : int, default 0
    n_bytes : int, optional

    Raises
    ------
    NotFoundError
        If the Task has no such file, or it is not in the lake any more.
    """
    found = _file(lake, caller, task, attempt, path)
    return lake.objects.read_range(found["object_path"], start, min(n_bytes, _MOST_BYTES))


def file_url(lake: Lake, caller: Caller, *, task: str, attempt: str, path: str, valid_s: float) -> str:
    """Return a URL by which anyone can read a kept file for a while.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    task : str
        ScopedKey.
    attempt : str
    path : str
        As `kept_files` returns it.
    valid_s : float
        Time until it expires, seconds.

    Raises
    ------
    NotFoundError
        If the Task has no such file, or it is not in the lake any more.
    SettingsError
        If the lake is a folder.
    """
    return lake.objects.signed_url(_file(lake, caller, task, attempt, path)["object_path"], valid_s=valid_s)


def tasks_storage(lake: Lake, caller: Caller, *, tasks: Sequence[str]) -> list[dict[str, int]]:
    """Return the number of kept files of each Task, and the bytes of its results and files.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    tasks : sequence of str
        ScopedKeys.
    """
    return _storage(lake, caller, "task", tasks)


def networks_storage(lake: Lake, caller: Caller, *, networks: Sequence[str]) -> list[dict[str, int]]:
    """Return the number of kept files of each network, and the bytes of its results and files.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
        ScopedKeys.
    """
    return _storage(lake, caller, "network", networks)


def _storage(lake: Lake, caller: Caller, of: str, keys: Sequence[str]) -> list[dict[str, int]]:
    caller.require_for("read", keys)
    query = f"{of}_storage"
    rows = ask(connection_for(lake, caller, query), query).filter(pl.col(of).is_in(list(keys)))
    found = {row.pop(of): row for row in rows.select(of, *_STORAGE).to_dicts()}
    return [found.get(key, dict.fromkeys(_STORAGE, 0)) for key in keys]


def _file(lake: Lake, caller: Caller, task: str, attempt: str, path: str) -> Mapping[str, Any]:
    caller.require_for("read", [task])
    here = pl.col("scope") == str(ScopedKey.from_str(task).scope)
    of_task = here & (pl.col("task") == task) & (pl.col("attempt") == attempt)
    named = here & (pl.col("attempt") == attempt) & (pl.col("path") == path)
    if rows_of(lake, "results", of_task, ["attempt"]).is_empty():
        raise NotFoundError(f"{task} has no attempt {attempt} with a result", task=task, attempt=attempt)
    rows = rows_of(lake, "result_files", named, ["object_path"])
    if rows.is_empty() or len(rows_of(lake, "pruned_files", named, ["path"])):
        gone = "was deleted" if len(rows) else "was not kept"
        raise NotFoundError(f"{path} of attempt {attempt} {gone}; `list_files` has the reason", path=path)
    return rows.row(0, named=True)
