"""Causes of failures as a table and as sentences."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from alchemiscale_lake.query import group_failures
from alchemiscale_lake.report.failures import causes_table, failure_lines, failures_table


def causes(hosts: list[str | None], *, exception: str = "CUDA error 700", transformations: int = 1) -> pl.DataFrame:
    """Return one failure per host, each of a Task of its own, as one cause."""
    n = len(hosts)
    return group_failures(
        pl.DataFrame(
            {
                "exception": [exception] * n,
                "unit": ["simulate"] * n,
                "task": [f"Task-{k}" for k in range(n)],
                "attempt": [f"{k:032x}" for k in range(n)],
                "hostname": pl.Series(hosts, dtype=pl.String),
                "transformation": [f"T{k % transformations}" for k in range(n)],
                "transformation_name": [f"edge{k % transformations}" for k in range(n)],
                "traceback": ['  File "/x/step.py", line 3, in run'] * n,
                "ended_at": [datetime(2026, 1, 1, k % 24, tzinfo=UTC) for k in range(n)],
            }
        )
    )


def lines(frame: pl.DataFrame, width: int = 80) -> list[str]:
    return failure_lines(frame.row(0, named=True), width)


def test_a_sentence_says_how_many_tasks_failed_why_and_where() -> None:
    assert lines(causes(["gpu-17"] * 3, transformations=2)) == [
        "3 Tasks: CUDA error 700, all on gpu-17",
        "  unit simulate; step.py, in run; edge0 and 1 more; 2026-01-01 00:00 to",
        "  2026-01-01 02:00",
        f"  alchemiscale-lake logs {2:032x}",
    ]


def test_failures_within_a_minute_have_one_time() -> None:
    one = causes(["a", "a"]).with_columns(last_ended_at=pl.col("first_ended_at") + pl.duration(seconds=30))
    assert lines(one)[1] == "  unit simulate; step.py, in run; edge0; 2026-01-01 00:00"


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (["a"], "1 Task: CUDA error 700, on a"),
        (["a", "a", "b"], "3 Tasks: CUDA error 700, on a (2 of 3), b (1 of 3)"),
        (["a", "a", "a", "b", "b", "c", "d"], "7 Tasks: CUDA error 700, on a (3 of 7), b (2 of 7) and 2 more hosts"),
        ([None, None], "2 Tasks: CUDA error 700, on an unknown host"),
        (["a", None], "2 Tasks: CUDA error 700, on a (1 of 2)"),
    ],
)
def test_hosts_in_words(hosts: list[str | None], words: str) -> None:
    assert lines(causes(hosts))[0] == words


@pytest.mark.parametrize("width", [40, 80])
def test_a_long_exception_keeps_within_the_terminal(width: int) -> None:
    shown = lines(causes(["a"], exception="ValueError: " + "no luck\n" * 100), width)

    assert max(map(len, shown[:-1])) <= width
    assert shown[2].endswith(" ...")
    assert len(shown) <= 8


def test_tables_of_causes() -> None:
    table = failures_table(causes(["a", "b"], transformations=2))
    assert table.rows[0][table.columns.index("transformations")] == "edge1 and 1 more"
    whole = causes_table(causes(["a", "b", "b"]))
    assert whole.rows[0][whole.columns.index("hosts")] == "b (2), a (1)"
