"""Records in a work folder that a power cut damaged count as missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alchemiscale_lake.execution.executions import Execution, read_plan, read_records, write_record
from alchemiscale_lake.execution.steps import PLAN
from tests.disk import Disk

UNIT = {"index": 0, "key": "Unit-1", "name": "first", "qualname": "Unit", "needs": []}
EXECUTION = Execution(
    unit="Unit-1", try_number=1, name="first", qualname="Unit", label="00-first-1", ok=True, exception=None,
    traceback=None, started_at="2025-06-01T00:00:00+00:00", ended_at="2025-06-01T00:00:01+00:00", exit_code=0,
    cpu_time_s=1.0, peak_memory_bytes=1, result="results/Unit-1.json",
)  # fmt: skip
TORN = [
    b"",
    b"\0" * 40,
    b'{"units": [{"ind',
    b"[]",
    b"null",
    b'{"units": 3}',
    b'{"units": [{}], "provenance": {}}',
    b"\xff",
]


@pytest.mark.parametrize("left", TORN)
def test_a_truncated_plan_is_ignored(tmp_path: Path, left: bytes) -> None:
    (tmp_path / PLAN).write_text(json.dumps({"units": [UNIT], "provenance": {"gufe": "1"}}))
    assert read_plan(tmp_path) is not None
    (tmp_path / PLAN).write_bytes(left)
    assert read_plan(tmp_path) is None


@pytest.mark.parametrize("left", TORN)
def test_a_truncated_record_is_ignored(tmp_path: Path, left: bytes) -> None:
    for name in ("whole", "torn"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_record(tmp_path / "runs" / name, EXECUTION)
    (tmp_path / "runs" / "torn" / "record.json").write_bytes(left)
    assert read_records(tmp_path) == [EXECUTION]
    assert [run.name for run in (tmp_path / "runs").iterdir()] == ["whole"]


def test_a_record_is_whole_or_missing(tmp_path: Path) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    with Disk(tmp_path) as disk:
        write_record(tmp_path / "runs" / "one", EXECUTION)
        disk.cut(tmp_path.parent / f"{tmp_path.name}-cut", names=True)
    assert read_records(tmp_path.parent / f"{tmp_path.name}-cut") == [EXECUTION]
