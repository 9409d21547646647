"""Upkeep that is missing: tables that have become slow, a lake of an older format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ..schemas import FORMAT
from ..store import Lake, UpkeepSettings, keep_up
from .lake_finding import MAINTAIN, LakeFinding, Severity

__all__ = ["check_format", "check_upkeep"]

CHECK: Final = "upkeep"
_WEEK_S: Final = 7 * 86400.0
#: Commits above the last checkpoint, of which every opening reads all.
_COMMITS: Final = 200
#: Log files, small data files and unneeded bytes of a table that was kept up are fewer.
_LOG_FILES: Final = 2_000
_SMALL_FILES: Final = 500
_BYTES: Final = 200_000_000
_ENTRY: Final = re.compile(r"/(\d{20})\.(json|checkpoint\.parquet)$")


def check_upkeep(lake: Lake, name: str, now: datetime) -> Iterator[LakeFinding]:
    """Yield what a maintenance of one table would have done long ago.

    Parameters
    ----------
    lake : Lake
    name : str
        Name of the table.
    now : datetime
        Time, UTC, from which ages are measured.

    Raises
    ------
    StorageError
    """
    table = lake.table(name)
    versions = [
        (m[2], int(m[1]))
        for o in lake.objects.list_with_times(f"{table.folder}/_delta_log")
        if (m := _ENTRY.search(o.path))
    ]
    checkpoint = max((version for kind, version in versions if kind != "json"), default=-1)
    entries = sum(kind == "json" and version > checkpoint for kind, version in versions)
    report = keep_up(lake.objects, table, UpkeepSettings(_WEEK_S, _WEEK_S, dry_run=True), now)
    slow, n_mb = [], report.freed_bytes / 1e6
    if entries > _COMMITS:
        slow.append(f"{entries} commits since the last checkpoint")
    if report.log_files_before > _LOG_FILES:
        slow.append(f"{report.log_files_before} files in its log")
    if report.files_before - report.files_after > _SMALL_FILES:
        slow.append(f"{report.files_before} data files, of which {report.files_after} would do")
    if report.freed_bytes > _BYTES:
        slow.append(f"{n_mb:.0f} MB of files that nothing has used for a week")
    if not slow and report.freed_bytes:
        what = f"{n_mb:.1f} MB of files that nothing has used for a week"
        yield LakeFinding(Severity.NOTE, CHECK, f"tables/{name}", what, MAINTAIN)
    if slow:
        yield LakeFinding(Severity.WARNING, CHECK, f"tables/{name}", f"it has {'; '.join(slow)}", MAINTAIN)


def check_format(lake: Lake) -> Iterator[LakeFinding]:
    """Yield whether the lake has an older format than this version."""
    if lake.format < FORMAT:
        what = f"the lake has format {lake.format}, the current one is {FORMAT}"
        yield LakeFinding(Severity.NOTE, CHECK, "lake.json", what, "alchemiscale-lake migrate")
