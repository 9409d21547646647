"""The outcome of a migration in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.report.migration import migration_line, migration_table
from alchemiscale_lake.store.migrations.step import Step


def report(before: int, after: int, *seconds: float | None) -> Any:
    steps = [
        SimpleNamespace(step=Step(before + n, f"change {n}", additive=n > 1), wall_time_s=s)
        for n, s in enumerate(seconds, 1)
    ]
    return SimpleNamespace(before=before, after=after, steps=steps)


@pytest.mark.parametrize(
    ("before", "after", "seconds", "line"),
    [
        (4, 4, (), "the lake has format 4, the current one; nothing to do"),
        (2, 2, (None, None), "the lake has format 2 and lacks 2 steps; nothing was changed"),
        (2, 4, (0.1, 0.2), "the lake has been migrated from format 2 to 4"),
    ],
)
def test_a_line(before: int, after: int, seconds: tuple[float | None, ...], line: str) -> None:
    assert migration_line(report(before, after, *seconds)) == line


def test_a_row_per_step_says_whether_tasks_may_run() -> None:
    table = migration_table(report(2, 4, 0.12345, None))

    assert table.rows == [(3, "change 1", "no", "done", 0.123), (4, "change 2", "yes", "missing", None)]
