"""Commits that others build upon last."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.delta_log import DeltaLog, entry_name
from tests.disk import Disk
from tests.plain import SCOPE
from tests.store.recorded_disk import ASSAYS, create, tasks_after_a_cut


def test_whoever_builds_upon_a_commit_makes_it_last(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer may be dead, or still writing, or of a version that did not fsync."""
    assert lake.local_path is not None
    with Disk(lake.local_path) as disk:
        with monkeypatch.context() as m:
            m.setattr(DeltaLog, "make_durable", lambda *_: None)
            m.setattr("alchemiscale_lake.durable.os.fsync", lambda _: None)
            create(Lake.open(lake.url), "theirs")
        assert disk.certain() == before_any_commit(lake)
        create(lake, "ours")
        left = tasks_after_a_cut(disk, tmp_path / "cut")
    assert left == [f"Task-ours-{SCOPE}", f"Task-theirs-{SCOPE}"]


def before_any_commit(lake: Lake) -> dict[str, bytes]:
    assert lake.local_path is not None
    return {
        path.relative_to(lake.local_path).as_posix(): path.read_bytes()
        for path in lake.local_path.rglob("*")
        if path.is_file() and ("task_log" not in path.parts or path.name == entry_name(0))
    }


def test_finding_ones_rows_there_makes_them_last(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ASSAYS.sample(3)
    assert lake.local_path is not None
    with Disk(lake.local_path) as disk:
        with monkeypatch.context() as m:
            m.setattr(DeltaLog, "make_durable", lambda *_: None)
            assert Lake.open(lake.url).table("assays").append_new(rows) == 3
        assert lake.table("assays").append_new(rows) == 0
        disk.cut(tmp_path / "cut")
    assert len(Lake.open(tmp_path / "cut").table("assays").scan().collect()) == 3
