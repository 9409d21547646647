"""Maintenance of one table: compact, checkpoint, clean the log, delete files that cannot be needed any more.

Why each step is safe with concurrent readers and writers:

- Compaction commits the same rows in fewer files. A writer that was about to commit loses the race once and decides
  again; a reader holds the old files.
- A log entry is deleted only if a checkpoint above it is itself old enough. A reader that is opening the table by an
  older checkpoint still finds all entries it needs.
- A file is deleted only if it was replaced long ago, or if it is in no log entry, is old, and the table has advanced
  since: then its writer can no longer commit it.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from ..errors import SettingsError
from ..faults import fault_point
from .compaction import compact, crowded
from .decoded_table import listed_files
from .lake import now_utc
from .objects import ObjectInfo, ObjectStore
from .storage_errors import fail
from .table import LakeTable

__all__ = ["TableUpkeep", "UpkeepSettings", "keep_up"]

#: While thousands of files are compacted, writers add some more.
_ROUNDS: Final = 2
#: Opening a table reads every commit above the last checkpoint.
_COMMITS_WORTH_A_CHECKPOINT: Final = 5
_CHECKPOINT: Final = ".checkpoint.parquet"
_ENTRY: Final = re.compile(r"/(\d{20})\.(json|checkpoint\.parquet)$")


@dataclass(frozen=True, slots=True)
class UpkeepSettings:
    """Retention settings.

    Attributes
    ----------
    keep_log_s : float
        Retention of log entries, for readers that are opening an older version; at least 15 minutes.
    keep_files_s : float
        Retention of replaced data files, which a long query may still read; one hour to seven days.
    keep_orphans_s : float
        Retention of abandoned objects of attempts; at least 30 days, since a late result counts.
    dry_run : bool
        Only report what would be done.
    """

    keep_log_s: float = 3600.0
    keep_files_s: float = 86400.0
    keep_orphans_s: float = 30 * 86400.0
    dry_run: bool = False

    def __post_init__(self) -> None:
        if not self.keep_log_s >= 900:
            raise SettingsError("the tables' logs must be kept for at least 15m")
        if not 3600 <= self.keep_files_s <= 7 * 86400:
            raise SettingsError("replaced files must be kept for 1h to 7d")
        if not self.keep_orphans_s >= 30 * 86400:
            raise SettingsError(
                "orphaned objects of attempts must be kept for at least 30 days, since late results are accepted"
            )


@dataclass(frozen=True, slots=True)
class TableUpkeep:
    """Result of the maintenance of one table; in a dry run, what would be done.

    Attributes
    ----------
    table : str
        Name of the table.
    files_before : int
        Number of data files.
    files_after : int
        Number of data files.
    log_files_before, log_files_after : int
        Number of commits and checkpoints.
    freed_bytes : int
        Total size of what was deleted.
    wall_time_s : float
        Duration.
    note : str or None
        What was left undone, and why.
    """

    table: str
    files_before: int
    files_after: int
    log_files_before: int
    log_files_after: int
    freed_bytes: int
    wall_time_s: float
    note: str | None = None


def keep_up(objects: ObjectStore, table: LakeTable, settings: UpkeepSettings, now: datetime) -> TableUpkeep:
    """Maintain one table; ages are measured as of `now`.

    Parameters
    ----------
    objects : ObjectStore
        Objects of the lake.
    table : LakeTable
        Table to maintain.
    settings : UpkeepSettings
        Ages and sizes from which each step applies.
    now : datetime
        Time, UTC, at which ages and limits are judged.

    Raises
    ------
    StorageError
        If the storage keeps failing. Completed steps stay completed.
    """
    began, name = time.monotonic(), table.schema.name
    # list before the table is opened, so that nothing listed is newer than the snapshot
    listed = list(objects.list_with_times(table.folder))
    log = [found for found in listed if _ENTRY.search(found.path)]
    delta = table.snapshot()
    files_before, version_before = len(delta.file_uris()), delta.version()
    small = crowded(delta, table)
    files_after, note, n_checkpoints = files_before - sum(small.values()) + len(small), None, 0
    if not settings.dry_run:
        for _ in range(_ROUNDS):
            if small and note is None:
                note = compact(table, delta)
                delta = table.snapshot()
                small, files_after = crowded(delta, table), len(delta.file_uris())
        fault_point(f"upkeep:{name}:compacted")
        n_checkpoints = _checkpoint(delta, table, log)
        fault_point(f"upkeep:{name}:checkpointed")
    old_log = _old_entries(log, now - timedelta(seconds=settings.keep_log_s))
    old_files = _old_files(listed, delta, table, settings.keep_files_s, now)
    if not settings.dry_run:
        # oldest first, so that an interruption leaves a log without gaps
        objects.delete(entry.path for entry in old_log)
        fault_point(f"upkeep:{name}:cleaned")
        objects.delete(file.path for file in old_files)
    return TableUpkeep(
        table=name,
        files_before=files_before,
        files_after=files_after,
        log_files_before=len(log),
        log_files_after=len(log) + delta.version() - version_before + n_checkpoints - len(old_log),
        freed_bytes=sum(found.n_bytes for found in [*old_log, *old_files]),
        wall_time_s=time.monotonic() - began,
        note=note,
    )


def _checkpoint(delta: DeltaTable, table: LakeTable, log: Sequence[ObjectInfo]) -> int:
    """Write a checkpoint if there are some commits above the last one; return the number written."""
    last = max((_version(entry) for entry in log if entry.path.endswith(_CHECKPOINT)), default=0)
    if delta.version() - last < _COMMITS_WORTH_A_CHECKPOINT:
        return 0
    try:
        table.log.checkpoint(delta)
    except (DeltaError, OSError) as e:
        fail(f"could not write a checkpoint of table '{table.schema.name}'", e, table=table.schema.name)
    table.snapshot()  # fails, before anything is deleted, if the checkpoint cannot be read
    return 1


def _old_entries(log: Sequence[ObjectInfo], before: datetime) -> list[ObjectInfo]:
    """Return log entries below the newest checkpoint that is old enough, in the order of deletion."""
    old = [entry for entry in log if entry.modified_at < before]
    stands = max((_version(entry) for entry in old if entry.path.endswith(_CHECKPOINT)), default=0)
    return sorted((e for e in old if _version(e) < stands), key=lambda e: (_version(e), e.path))


def _old_files(
    listed: Sequence[ObjectInfo], delta: DeltaTable, table: LakeTable, keep_s: float, now: datetime
) -> list[ObjectInfo]:
    """Return files of the table that cannot be needed any more."""
    before = now - timedelta(seconds=keep_s)
    temporary = [found for found in listed if found.is_temporary and found.modified_at < before]
    commits = [found.modified_at for found in listed if (m := _ENTRY.search(found.path)) and m[2] == "json"]
    needed = set(listed_files(delta)["path"])
    # not needed for this version; deltalake knows whether a reader may need them for an older one
    candidates = {
        found.path.removeprefix(f"{table.folder}/"): found
        for found in listed
        if found.path.endswith(".parquet")
        and "/_delta_log/" not in found.path
        and found.modified_at < min(before, max(commits, default=before))
    }
    if not candidates.keys() - needed:
        return temporary
    # deltalake uses the real time
    hours = math.ceil((keep_s - (now - now_utc()).total_seconds()) / 3600)
    try:
        replaced = delta.vacuum(max(hours, 0), dry_run=True, enforce_retention_duration=False, full=True)
    except (DeltaError, OSError) as e:
        fail(f"could not find old files of table '{table.schema.name}'", e, table=table.schema.name)
    return temporary + [candidates[name] for name in sorted(replaced) if name in candidates and name not in needed]


def _version(entry: ObjectInfo) -> int:
    match = _ENTRY.search(entry.path)
    assert match is not None
    return int(match[1])
