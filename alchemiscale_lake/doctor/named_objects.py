"""Objects that tables name: there, and as long as recorded. Receipts that no table has. Nothing is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Final

import polars as pl

from ..statestore.unrecorded_receipts import forgotten_receipts
from ..store import Lake, collect, sweep_orphans
from .key_hashes import EXAMPLES, described
from .lake_finding import MAINTAIN, LakeFinding, Severity

__all__ = ["check_named_objects", "check_orphans", "check_receipts"]

CHECK: Final = "objects"
#: Listing entries that are hashed together.
_AT_ONCE: Final = 50_000
_FOLDERS: Final = ("attempts", "imports", "files")
#: Table and column with a path, and the column with its size.
_NAMED: Final = (
    ("results", "object_path", "n_bytes"),
    ("result_files", "object_path", "n_bytes"),
    ("imports", "object_path", None),
    ("unit_results", "stdout_path", None),
    ("unit_results", "stderr_path", None),
    ("unit_results", "log_path", None),
)
_RESTORE: Final = "restore it from a backup"
_ADVICE: Final = {
    "results": "numbers stay in the tables; restore it from a backup, or run the Task again: "
    "`alchemiscale-lake tasks set-status invalid TASK`",
    "unit_results": "numbers do not need it; restore it from a backup if it matters",
}
#: Messages of Tasks and left-overs of attempts are deleted after 30 days by maintenance.
_ORPHANS_AFTER: Final = timedelta(days=40)
_TEMPORARY_AFTER: Final = timedelta(days=8)


def check_named_objects(lake: Lake, sound: Collection[str], tell: Callable[[str], None]) -> Iterator[LakeFinding]:
    """Yield objects that a table names and that are missing or of another size.

    Parameters
    ----------
    lake : Lake
    sound : collection of str
        Tables that can be read.
    tell : callable
        Called with a line before each step.

    Raises
    ------
    StorageError
    """
    lacking = {"result_files"} if "pruned_files" in lake.tables and "pruned_files" not in sound else set()
    named = [each for each in _NAMED if each[0] in set(sound) - lacking]
    # rows first: what they name was written before, so a later listing has it
    rows = [_paths(lake, *each) for each in named]
    tell("objects: listing")
    listed = _listing(lake)
    for (table, column, size), frame in zip(named, rows, strict=True):
        tell(f"objects of {table}.{column}")
        joined = frame.lazy().join(listed.lazy(), on="hash", how="left")
        bad = pl.col("there").is_null()
        if size is not None:
            bad = bad | (pl.col("n_bytes").is_not_null() & (pl.col("n_bytes") != pl.col("there")))
        hashes = collect(joined.filter(bad).select("hash", "there").unique(), "objects", streaming=True)
        if len(hashes):
            yield from _bad_objects(lake, table, column, hashes)


def _paths(lake: Lake, table: str, column: str, size: str | None) -> pl.DataFrame:
    n_bytes = pl.lit(None, pl.Int64) if size is None else pl.col(size)
    frame = _rows(lake, table, column)
    return collect(frame.select(hash=pl.col(column).hash(), n_bytes=n_bytes), f"table '{table}'", streaming=True)


def _rows(lake: Lake, table: str, column: str) -> pl.LazyFrame:
    """Return the rows that name an object; kept files that were given up may be deleted."""
    frame = lake.table(table).scan().filter(pl.col(column).is_not_null())
    if table == "result_files":
        frame = frame.join(lake.table("pruned_files").scan(), on=["scope", "attempt", "path"], how="anti")
    return frame


def _listing(lake: Lake) -> pl.DataFrame:
    """Return hash and size of every object that tables may name."""
    found = chain.from_iterable(lake.objects.list_with_times(folder) for folder in _FOLDERS)
    schema = {"path": pl.String, "there": pl.Int64}
    parts = [pl.DataFrame(schema={"hash": pl.UInt64, "there": pl.Int64})]
    named = ((o.path, o.n_bytes) for o in found if not o.is_temporary)
    while batch := list(islice(named, _AT_ONCE)):
        rows = pl.DataFrame(batch, schema=schema, orient="row")
        parts.append(rows.select(hash=pl.col("path").hash(), there="there"))
    return pl.concat(parts)


def _bad_objects(lake: Lake, table: str, column: str, hashes: pl.DataFrame) -> Iterator[LakeFinding]:
    owner = "task" if table == "results" else column
    rows = _rows(lake, table, column).with_columns(hash=pl.col(column).hash())
    bad = rows.join(hashes.lazy(), on="hash", how="inner").select(column, "there", owner=owner).unique(column)
    found = collect(bad.bottom_k(10 * EXAMPLES, by=column), f"table '{table}'", streaming=True)
    advice = _ADVICE.get(table, _RESTORE)
    severity = Severity.WARNING if table == "unit_results" else Severity.DAMAGE
    for path, there, name in found.iter_rows():
        what = "is missing" if there is None else f"has {there} bytes, not as many as recorded"
        yield LakeFinding(severity, CHECK, path, what, advice=advice.replace("TASK", str(name)))
    if len(hashes) > len(found):
        what = f"{len(hashes) - len(found)} more objects are missing or of another size"
        yield LakeFinding(severity, CHECK, f"{table}.{column}", what, advice=advice.replace("TASK", "TASK..."))


def check_receipts(lake: Lake, sound: Collection[str], tell: Callable[[str], None]) -> Iterator[LakeFinding]:
    """Yield receipts that are in no table although their attempt no longer holds a claim.

    Parameters
    ----------
    lake : Lake
    sound : collection of str
        Tables that can be read.
    tell : callable
        Called with a line before each step.
    """
    if {"results", "task_log", "task_snapshots", "action_snapshots"} <= set(sound):
        tell("receipts")
        forgotten = sorted(forgotten_receipts(lake))
        if forgotten:
            what = f"{described(len(forgotten), 'receipt', forgotten[:EXAMPLES])}: in no table"
            yield LakeFinding(Severity.WARNING, CHECK, "receipts", what, MAINTAIN)


def check_orphans(lake: Lake, sound: Collection[str], now: datetime) -> Iterator[LakeFinding]:
    """Yield what maintenance would have deleted long ago: half-written objects, messages and remains of attempts.

    Parameters
    ----------
    lake : Lake
    sound : collection of str
        Tables that can be read.
    now : datetime
        Time, UTC, from which ages are measured.
    """
    if not {"results", "attempt_ends", "task_log", "task_snapshots", "action_snapshots"} <= set(sound):
        return
    left = sweep_orphans(
        lake, older_than=now - _ORPHANS_AFTER, temporary_older_than=now - _TEMPORARY_AFTER, dry_run=True
    )
    for orphans in left:
        if orphans.n_objects:
            what = f"{described(orphans.n_objects, 'object', [])} ({orphans.n_bytes / 1e6:.1f} MB): {orphans.kind}"
            yield LakeFinding(Severity.NOTE, "upkeep", "attempts", what, MAINTAIN)
