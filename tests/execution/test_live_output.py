"""Output of running units is read from the work folder of their attempt, and from nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from alchemiscale_lake.execution.folder import WorkFolder, holder_of
from alchemiscale_lake.execution.live_output import live_runs, read_from
from alchemiscale_lake.execution.steps import PLAN
from tests.plain import SCOPE

TASK = f"Task-{'a' * 32}-{SCOPE}"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a work folder held by attempt `a1`, with a planned unit that runs for the second time."""
    with WorkFolder.acquire(tmp_path, SCOPE, TASK, "a1") as folder:
        units = [{"index": 0, "key": "Unit-1", "name": "first unit", "qualname": "Unit", "needs": []}]
        (folder.path / PLAN).write_text(json.dumps({"units": units, "provenance": {}}))
        for run in ("create-1", "00-first_unit-1", "00-first_unit-2"):
            (folder.path / "runs" / run).mkdir()
            (folder.path / "runs" / run / "stdout.txt").write_text(f"{run}\n")
        return folder.path


def test_runs_are_those_of_the_plan_and_other_steps(work: Path) -> None:
    runs = live_runs(work, SCOPE, TASK, "a1")

    named = sorted((run.name, run.unit, run.try_number) for run in runs)
    assert named == [("create", None, 1), ("first unit", "Unit-1", 1), ("first unit", "Unit-1", 2)]
    assert {read_from(run.path("stdout"), 0, 100) for run in runs} == {
        f"{name}\n".encode() for name in ("create-1", "00-first_unit-1", "00-first_unit-2")
    }
    assert {read_from(run.path("stderr"), 0, 100) for run in runs} == {b""}


def test_the_folder_of_another_attempt_task_or_place_is_not_read(work: Path, tmp_path: Path) -> None:
    assert holder_of(work) == "a1"
    assert live_runs(work, SCOPE, TASK, "a2") == []
    assert live_runs(work, "other-campaign-project", TASK, "a1") == []
    assert live_runs(work, SCOPE, TASK.replace("a" * 32, "b" * 32), "a1") == []
    assert live_runs(tmp_path / "nothing" / SCOPE / ("a" * 32), SCOPE, TASK, "a1") == []
    os.chdir(tmp_path)
    assert live_runs(work.relative_to(tmp_path), SCOPE, TASK, "a1") == []


def test_the_next_attempt_is_the_holder(work: Path, tmp_path: Path) -> None:
    with WorkFolder.acquire(tmp_path, SCOPE, TASK, "longer-than-a1"):
        assert holder_of(work) == "longer-than-a1"
    with WorkFolder.acquire(tmp_path, SCOPE, TASK, "a3"):
        assert holder_of(work) == "a3"


def test_links_lead_nowhere(work: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "stdout.txt").write_text("secret")
    (work / "runs" / "00-linked-1").symlink_to(secret)
    (work / "runs" / "create-1" / "stderr.txt").symlink_to(secret / "stdout.txt")
    linked = tmp_path / "elsewhere" / SCOPE / ("a" * 32)
    linked.parent.mkdir(parents=True)
    linked.symlink_to(work)

    texts = [read_from(run.path(s), 0, 100) for run in live_runs(work, SCOPE, TASK, "a1") for s in ("stdout", "stderr")]
    assert b"secret" not in texts
    assert live_runs(linked, SCOPE, TASK, "a1") == []


def test_parts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"0123456789")

    assert read_from(path, 4, 3) == b"456"
    assert read_from(path, -4, 100) == b"6789"
    assert read_from(path, -40, 100) == b"0123456789"
    assert read_from(path, 10, 100) == b""
