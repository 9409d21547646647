"""Work folders: who holds one, what is kept in it, and when it goes."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from alchemiscale_lake.execution.folder import WorkFolder, default_work_root, sweep
from alchemiscale_lake.execution.steps import EXTENDS, PLAN, TRANSFORMATION
from tests.execution.messages import SCOPE

TASK = f"Task-0123-{SCOPE}"


def acquired(root: Path, attempt: str = "a1") -> WorkFolder:
    return WorkFolder.acquire(root, SCOPE, TASK, attempt, wait_s=0.0)


def test_the_next_attempt_at_a_task_finds_what_the_last_one_left(tmp_path: Path) -> None:
    with acquired(tmp_path) as first:
        (first.path / "shared" / "checkpoint").touch()
    with acquired(tmp_path, "a2") as second:
        assert second.path == first.path == tmp_path / SCOPE / "0123"
        assert (second.path / "shared" / "checkpoint").exists()


def test_a_folder_in_use_is_left_and_one_beside_it_is_removed_in_the_end(tmp_path: Path) -> None:
    with acquired(tmp_path) as first:
        with acquired(tmp_path, "a2") as beside:
            assert beside.path == tmp_path / SCOPE / "0123.a2"
            with pytest.raises(OSError, match="attempt a2 runs twice"):
                acquired(tmp_path, "a2")
        assert not beside.path.exists()
        assert first.path.is_dir()


def test_a_step_that_outlives_its_worker_holds_the_folder(tmp_path: Path) -> None:
    with acquired(tmp_path) as first:
        step = os.open(first.steps_lock, os.O_RDWR | os.O_CREAT)
        fcntl.flock(step, fcntl.LOCK_SH)
    with acquired(tmp_path, "a2") as second:
        assert second.path != first.path
    os.close(step)
    with acquired(tmp_path, "a3") as third:
        assert third.path == first.path


def test_clearing_keeps_only_the_records_of_what_was_run(tmp_path: Path) -> None:
    with acquired(tmp_path) as folder:
        for name in (PLAN, TRANSFORMATION, EXTENDS, "runs/record", "results/r", "shared/s", "scratch/x"):
            (folder.path / name).touch()
        folder.clear()
        left = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}
        assert left == {"runs/record", "lock", "steps.lock"}
        assert folder.missing() is None
        folder.forget_runs()
        assert folder.missing() == str(folder.path / "runs")


def test_clearing_a_new_folder_leaves_it_as_it_is(tmp_path: Path) -> None:
    with acquired(tmp_path) as folder:
        before = {path: path.stat().st_ctime_ns for path in folder.path.iterdir()}
        folder.clear()
        assert {path: path.stat().st_ctime_ns for path in folder.path.iterdir()} == before


def test_what_a_protocol_put_in_the_place_of_a_folder_is_replaced(tmp_path: Path) -> None:
    with acquired(tmp_path) as folder:
        folder.drop_scratch()
        (folder.path / "scratch").symlink_to("/")
        assert folder.missing() == str(folder.path / "scratch")
    with acquired(tmp_path, "a2") as again:
        assert again.missing() is None


@pytest.mark.parametrize("how", ["file", "link"])
def test_a_spoiled_folder_is_not_used(tmp_path: Path, how: str) -> None:
    place = tmp_path / SCOPE / "0123"
    place.parent.mkdir()
    place.touch() if how == "file" else place.symlink_to(tmp_path)

    with acquired(tmp_path) as folder:
        assert folder.path.name == "0123.a1"


def test_only_folders_that_nobody_used_for_long_are_swept(tmp_path: Path) -> None:
    with acquired(tmp_path) as held:
        long_ago = time.time() - 100.0
        os.utime(held.path / "lock", (long_ago, long_ago))
        assert sweep(tmp_path, older_than_s=50.0) == []
    os.utime(held.path / "lock", (long_ago, long_ago))
    assert sweep(tmp_path, older_than_s=200.0) == []
    assert sweep(tmp_path, older_than_s=50.0) == [held.path]
    assert not held.path.exists()


def test_work_is_in_the_lake_s_folder_or_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALCHEMISCALE_LAKE_WORK", "/scratch/me")
    assert default_work_root(tmp_path) == tmp_path / "work"
    assert default_work_root(None) == Path("/scratch/me")
    monkeypatch.delenv("ALCHEMISCALE_LAKE_WORK")
    assert default_work_root(None).name == "alchemiscale-lake"
