"""Messages between attempts and dispatchers: releases, heartbeats, quarantine, assignments."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from alchemiscale_lake.errors import LakeVersionError, NotFoundError, StorageError
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources
from alchemiscale_lake.execution import quarantine_list as quarantined
from alchemiscale_lake.execution.__main__ import main
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat, read_beat, remove_beat
from alchemiscale_lake.execution.quarantine_list import is_quarantined, publish_quarantine, read_quarantine
from alchemiscale_lake.execution.release import Release, leave_release, read_release
from alchemiscale_lake.execution.stored_assignment import load_assignment, store_assignment
from alchemiscale_lake.settings import Monitors
from alchemiscale_lake.store import Lake, now_utc
from tests.execution.bench import SCOPE, Bench
from tests.execution.scripted import scripted

SPEC = AttemptSpec("attempt", f"Task-1-{SCOPE}", f"Transformation-1-{SCOPE}", SCOPE)


@pytest.fixture
def lake(tmp_path: Path, empty_lake_folder: Path) -> Lake:
    shutil.copytree(empty_lake_folder, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def test_a_release_is_read_as_it_was_left(lake: Lake) -> None:
    assert read_release(lake, SCOPE, "attempt") is None
    left = Release("walltime", "the job ends", "node1")
    leave_release(lake, SPEC, left)
    assert read_release(lake, SCOPE, "attempt") == left


def test_a_beat_is_read_as_it_was_left_and_can_be_taken_away(lake: Lake) -> None:
    now = now_utc()
    beat = Beat(now, now - timedelta(hours=1), now - timedelta(seconds=5), "node1", "job", 2, 5)
    assert read_beat(lake, SCOPE, "attempt") is None
    leave_beat(lake, SPEC, beat)
    assert read_beat(lake, SCOPE, "attempt") == beat
    remove_beat(lake, SPEC)
    remove_beat(lake, SPEC)
    assert read_beat(lake, SCOPE, "attempt") is None


def test_hosts_are_quarantined_until_their_time(lake: Lake) -> None:
    assert is_quarantined(lake, "bad") is None
    until = now_utc() + timedelta(hours=1)
    publish_quarantine(lake, {"bad": until, "readmitted": now_utc() - timedelta(seconds=1)})
    assert is_quarantined(lake, "bad") == until
    assert is_quarantined(lake, "readmitted") is None
    assert is_quarantined(lake, "good") is None
    assert read_quarantine(lake)["bad"] == until


def test_the_quarantine_is_read_again_after_a_while(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    until = now_utc() + timedelta(hours=1)
    assert is_quarantined(lake, "bad") is None
    lake.objects.put("quarantine.json", f'{{"bad": "{until.isoformat()}"}}'.encode())
    assert is_quarantined(lake, "bad") is None
    monkeypatch.setattr(quarantined, "_REMEMBERED_S", 0.0)
    assert is_quarantined(lake, "bad") == until


def test_a_silent_storage_changes_no_quarantine(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(path: str) -> bytes:
        raise StorageError("no answer")

    until = now_utc() + timedelta(hours=1)
    publish_quarantine(lake, {"bad": until})
    monkeypatch.setattr(quarantined, "_REMEMBERED_S", 0.0)
    monkeypatch.setattr(lake.objects, "get", silent)
    assert is_quarantined(lake, "bad") == until


def test_an_assignment_is_loaded_as_it_was_stored(lake: Lake) -> None:
    assignment = Assignment(
        lake=lake.url,
        pool="slurm",
        attempts=(
            SPEC,
            AttemptSpec(
                "b",
                "Task-2",
                "T-2",
                SCOPE,
                "some/path",
                resources=Resources(2, 10**9, 0.25),
                duration_s=12.5,
            ),
        ),
        resources=Resources(8, 2**34, 2.0),
        unit_needs={"SimulationUnit": Resources(1, None, 0.5)},
        monitors=Monitors(gpu_memory=0.9, window_s=5.0),
        timeout_s=100.0,
        stuck_after_s=7200.0,
        keep=("*.nc",),
        retire_before_s=300.0,
    )
    assert load_assignment(lake, store_assignment(lake, assignment)) == assignment


def test_an_assignment_of_another_version_is_refused(lake: Lake) -> None:
    lake.objects.put("assignments/x.json", b'{"format": 99}')
    with pytest.raises(LakeVersionError, match="format 99"):
        load_assignment(lake, "x")
    with pytest.raises(NotFoundError):
        load_assignment(lake, "y")


def test_the_command_runs_a_stored_assignment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    good, bad = bench.spec(scripted("pass")), bench.spec(scripted("raise ValueError"))
    stored = store_assignment(bench.lake, bench.assignment(good, bad))
    assert main(["--lake", bench.lake.url, "--assignment", stored]) == 0
    assert "2 of 2 attempts" in capsys.readouterr().err
    assert (bench.receipt(good).result["ok"], bench.receipt(bad).result["ok"]) == (True, False)


def test_the_command_names_what_it_did_not_find(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["--lake", str(tmp_path / "nowhere"), "--assignment", "x"]) == 1
    assert "there is no lake" in capsys.readouterr().err
    assert main(["--lake", bench.lake.url, "--assignment", "x"]) == 1
    assert "no object assignments/x.json" in capsys.readouterr().err
