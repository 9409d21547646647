"""The small version of the benchmark: its counts must be right, whatever the times."""

from __future__ import annotations

from benchmarks import bench_upkeep


def test_every_row_is_there_after_an_upkeep_among_four_writers() -> None:
    rows = {row["name"]: row for row in bench_upkeep.run(quick=True)}
    assert rows["every row is there once"]["ok"]
    assert rows["task_log data files before"]["figure"] > 400
    assert rows["task_log data files after"]["figure"] < rows["task_log data files before"]["figure"] / 2
    assert rows["rows appended by four writers meanwhile"]["figure"] >= 4
