"""Outcome of maintenance, as a table and in one line."""

from __future__ import annotations

from ..plurals import count, verb
from ..store import MaintenanceReport
from .table import Table

__all__ = ["upkeep_line", "upkeep_table"]


def upkeep_table(report: MaintenanceReport) -> Table:
    """Build a table with one row per table of the lake, and one per kind of orphaned object."""
    columns = ("what", "files before", "files after", "log before", "log after", "freed (bytes)", "seconds", "note")
    tables = [
        (
            table.table,
            table.files_before,
            table.files_after,
            table.log_files_before,
            table.log_files_after,
            table.freed_bytes,
            round(table.wall_time_s, 3),
            table.note,
        )
        for table in report.tables
    ]
    orphans = [(o.kind, o.n_objects, 0, None, None, o.n_bytes, None, None) for o in report.orphans]
    return Table(columns, [*tables, *orphans])


def upkeep_line(report: MaintenanceReport) -> str:
    """Return in one line how much was removed."""
    fewer = sum(t.files_before - t.files_after for t in report.tables)
    orphans = sum(o.n_objects for o in report.orphans)

    def were(n: int) -> str:
        return "would be" if report.dry_run else verb(n, "was", "were")

    return (
        f"{count(fewer, 'data file')} {were(fewer)} removed by compaction, {count(orphans, 'orphaned object')} "
        f"{were(orphans)} deleted, {report.freed_bytes / 1e6:.1f} MB {were(2)} freed, in {report.wall_time_s:.1f} s"
    )
