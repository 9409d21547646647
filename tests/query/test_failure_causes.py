"""Failures of one cause: the same exception at the same place of the same unit, whatever its numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from alchemiscale_lake.query import cause_of, group_failures, place_of

PYTHON = """Traceback (most recent call last):
  File "/a/gufe/protocolunit.py", line 320, in execute
    outputs = self._execute(context, **inputs)
  File "/b/openmm/app/simulation.py", line 71, in step
    raise OpenMMException("Particle coordinate is NaN")
openmm.OpenMMException: Particle coordinate is NaN
"""
SIGNAL = """Fatal Python error: Segmentation fault

Current thread 0x00007f1a (most recent call first):
  File "/b/native.py", line 4 in crash
  File "/a/gufe/protocolunit.py", line 320 in execute
"""


def failures(*rows: tuple[str, str | None, str, str, int]) -> pl.DataFrame:
    """Return failures: exception, unit, Task, host, hour of the end."""
    names = ["exception", "unit", "task", "hostname", "hour"]
    ended_at = [datetime(2026, 1, 1, row[-1], tzinfo=UTC) for row in rows]
    frame = pl.DataFrame(rows, schema_overrides={"unit": pl.String}, schema=names, orient="row").drop("hour")
    return frame.with_columns(
        ended_at=pl.Series(ended_at), transformation=pl.lit("T"), transformation_name=pl.lit("t"), traceback=pl.lit("")
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NaN at step 12", "NaN at step 9000"),
        ("energy 1.5e-3 kJ/mol", "energy 22 kJ/mol"),
        ("no /scratch/a/b", "no /tmp/c"),
        ("cannot read 'file:///a/b'", "cannot read 's3://bucket/c'"),
        ("object at 0x7f01", "object at 0x1"),
        ("key 0123456789abcdef0123456789abcdef", "key fedcba9876543210fedcba9876543210"),
        ("unit 01234567-89ab-cdef-0123-456789abcdef", "unit fedcba98-7654-3210-fedc-ba9876543210"),
        ("since 2026-11-01T10:00:00.123+00:00", "since 2026-12-24 18:30:00Z"),
        ("an error 0.25 above the limit", "an error 12.5 above the limit"),
    ],
)
def test_what_differs_does_not_make_a_cause(one: str, other: str) -> None:
    assert cause_of(one) == cause_of(other) != one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CUDA error 700", "CUDA error 2"),
        ("CUDA error: 700 at 0x1", "CUDA error: 2 at 0x1"),
        ("OSError: [Errno 28] No space", "OSError: [Errno 2] No space"),
        ("ProcessDied: signal 11", "ProcessDied: signal 9"),
        ("exit code -11", "exit code 1"),
        ("HTTP 503", "HTTP 404"),
        ("ValueError: x", "TypeError: x"),
    ],
)
def test_codes_of_errors_make_a_cause(one: str, other: str) -> None:
    assert cause_of(one) != cause_of(other)


def test_the_place_is_the_innermost_frame() -> None:
    assert place_of(PYTHON) == "simulation.py, in step"
    assert place_of(SIGNAL) == "native.py, in crash"
    assert place_of("no frames") is place_of("") is place_of(None) is None


def test_the_same_exception_elsewhere_is_another_cause() -> None:
    two = failures(("KeyError: 'x'", "u", "t1", "h", 1), ("KeyError: 'x'", "u", "t2", "h", 2))
    apart = two.with_columns(traceback=pl.Series([PYTHON, PYTHON.replace("in step", "in minimize")]))

    assert [len(group_failures(frame)) for frame in (two, apart)] == [1, 2]


def test_a_cause_counts_tasks_and_hosts_and_shows_its_newest_failure() -> None:
    causes = group_failures(
        failures(
            ("rare", "b", "t9", "n1", 20),
            ("NaN 1", "repeat 0", "t1", "gpu-17", 1),
            ("NaN 3", "repeat 2", "t2", "gpu-17", 3),
            ("NaN 2", "repeat 1", "t1", "gpu-3", 2),
        )
    )

    first = causes.row(0, named=True)
    assert (causes["n"].to_list(), causes["tasks"].to_list()) == ([3, 1], [2, 1])
    assert causes["cause"].to_list() == ["NaN #", "rare"]
    assert (first["exception"], first["unit"]) == ("NaN 3", "repeat 2")
    assert (first["first_ended_at"].hour, first["last_ended_at"].hour) == (1, 3)
    assert first["hosts"] == [{"hostname": "gpu-17", "count": 2}, {"hostname": "gpu-3", "count": 1}]


def test_failures_outside_of_a_unit_are_a_cause_of_their_own() -> None:
    assert group_failures(failures(("x", None, "t1", "h", 1), ("x", "u", "t2", "h", 2))).height == 2


def test_no_failures_have_no_causes() -> None:
    assert group_failures(failures(("x", None, "t1", "h", 1)).clear()).is_empty()
