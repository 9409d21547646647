"""Commits with unknown outcome, and writers that were suspended."""

from __future__ import annotations

import errno

import pytest
from deltalake.exceptions import DeltaError

import alchemiscale_lake.store.commit as commit_module
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import Event, TaskState
from tests.plain import SCOPE

ASSAYS = TABLES["assays"]


def create(lake: Lake, name: str) -> int | None:
    task = TaskState(SCOPE, f"Task-{name}-{SCOPE}", f"Transformation-1-{SCOPE}", None)
    return lake.task_log.commit(lambda _: [Event("created", task)], caller=Caller("t")).seq


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize("error", [DeltaError("gone"), OSError(errno.EIO, "input/output error")])
def test_a_failure_without_a_message_is_investigated(
    lake: Lake, landed: bool, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = commit_module._write, []

    def fails_once(*args: object) -> None:
        calls.append(1)
        if landed or len(calls) > 1:
            real(*args)  # type: ignore[arg-type]
        if len(calls) == 1:
            raise error

    monkeypatch.setattr(commit_module, "_write", fails_once)
    assert create(lake, "a") == 1
    assert len(calls) == (1 if landed else 2)
    assert Lake.open(lake.url).table("task_log").scan().collect()["seq"].to_list() == [1]


def test_a_failure_that_lasts_is_an_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(commit_module, "_write", fails)
    with pytest.raises(StorageError, match=r"could not write to table 'assays'.*No space left"):
        lake.table("assays").append_new(ASSAYS.sample(1))
    monkeypatch.undo()
    assert lake.table("assays").append_new(ASSAYS.sample(1)) == 1


@pytest.mark.parametrize("landed", [True, False])
def test_a_writer_that_slept_looks_whether_its_commit_counts(
    lake: Lake, landed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a checkpoint that was written meanwhile, a commit may be accepted and never be seen."""
    real, real_elapsed, calls = commit_module._write, commit_module.elapsed_s, []

    def write(*args: object) -> None:
        calls.append(1)
        if landed or len(calls) > 1:
            real(*args)  # type: ignore[arg-type]

    def elapsed_s(since: tuple[float, ...]) -> float:
        return 1000.0 if len(calls) == 1 else real_elapsed(since)

    monkeypatch.setattr(commit_module, "_write", write)
    monkeypatch.setattr(commit_module, "elapsed_s", elapsed_s)
    assert create(lake, "a") == 1
    monkeypatch.undo()
    assert create(lake, "b") == 2
    assert Lake.open(lake.url).table("task_log").scan().collect()["seq"].sort().to_list() == [1, 2]


def test_clocks_go_on() -> None:
    then = commit_module.clocks_s()
    assert 0.0 <= commit_module.elapsed_s(then) < 5.0
    assert commit_module.elapsed_s(tuple(clock - 3600 for clock in then)) >= 3600


def test_checkpoints_come_without_asking(lake: Lake) -> None:
    for i in range(41):
        create(lake, str(i))
    assert lake.local_path is not None
    log = lake.local_path / "tables" / "task_log" / "_delta_log"
    assert sorted(p.name[:20].lstrip("0") for p in log.glob("*.checkpoint.parquet")) == ["20", "40"]


def test_a_checkpoint_that_fails_fails_no_commit(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from deltalake import DeltaTable

    def fails(_: DeltaTable) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DeltaTable, "create_checkpoint", fails)
    assert [create(lake, str(i)) for i in range(21)] == list(range(1, 22))
    assert "could not tidy table 'task_log' at version 20" in caplog.text
