"""Outcome of a migration, as a table and in one line."""

from __future__ import annotations

from ..plurals import count
from ..store import MigrationReport
from .table import Table

__all__ = ["migration_line", "migration_table"]


def migration_table(report: MigrationReport) -> Table:
    """Build a table with one row per step that the lake lacked."""
    columns = ("format", "change", "while Tasks run", "state", "seconds")
    rows = [
        (
            done.step.to,
            done.step.what,
            "yes" if done.step.additive else "no",
            "missing" if done.wall_time_s is None else "done",
            None if done.wall_time_s is None else round(done.wall_time_s, 3),
        )
        for done in report.steps
    ]
    return Table(columns, rows)


def migration_line(report: MigrationReport) -> str:
    """Return the outcome in one line."""
    missing = sum(done.wall_time_s is None for done in report.steps)
    if missing:
        return f"the lake has format {report.before} and lacks {count(missing, 'step')}; nothing was changed"
    if not report.steps:
        return f"the lake has format {report.after}, the current one; nothing to do"
    return f"the lake has been migrated from format {report.before} to {report.after}"
