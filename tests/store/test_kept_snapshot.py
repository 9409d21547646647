"""Snapshots that are used again while they are the newest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from alchemiscale_lake.errors import MissingTableError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, kept_snapshot

ROW = TABLES["assays"].sample(1, ligand="a")
OTHER = TABLES["assays"].sample(1, ligand="b")


def ligands(lake: Lake) -> list[str]:
    return sorted(lake.table("assays").scan().collect()["ligand"])


def test_a_table_is_opened_again_only_after_a_commit(lake: Lake) -> None:
    table = lake.table("assays")
    first = table.to_read()
    assert table.to_read() is first
    Lake.open(lake.url).table("assays").append_new(ROW)
    assert ligands(lake) == ["a"], "committed by another process"
    second = table.to_read()
    assert second is not first
    table.append_new(OTHER)
    assert ligands(lake) == ["a", "b"], "committed by this one"
    assert (first.version(), second.version()) == (0, 1), "nobody changes a snapshot that others read"


def test_frames_read_the_version_that_they_were_made_from(lake: Lake) -> None:
    before = lake.table("assays").scan()
    lake.table("assays").append_new(ROW)
    assert len(before.collect()) == 0
    assert ligands(lake) == ["a"]


def test_a_table_that_was_removed_or_replaced_is_opened_again(lake: Lake, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "lake", other)
    lake.table("assays").append_new(ROW)
    Lake.open(other).table("assays").append_new(OTHER)
    assert ligands(lake) == ["a"]
    folder = tmp_path / "lake" / "tables" / "assays"
    shutil.rmtree(folder)
    with pytest.raises(MissingTableError):
        lake.table("assays").scan()
    shutil.copytree(other / "tables" / "assays", folder)
    assert ligands(lake) == ["b"], "of the same version"


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with every update of a snapshot."""
    made: list[int] = []
    original = DeltaTable.update_incremental
    monkeypatch.setattr(DeltaTable, "update_incremental", lambda self: made.append(1) or original(self))
    return made


def test_a_snapshot_is_brought_up_to_date_once_per_commit(lake: Lake, updates: list[int]) -> None:
    table = lake.table("assays")
    for row in (ROW, OTHER, OTHER):
        table.append_new(row)
        for _ in range(3):
            with table.newest() as newest:
                assert newest.version() == len(ligands(lake))
    assert len(updates) == 2


def test_a_writer_sees_what_another_wrote_in_between(lake: Lake, updates: list[int]) -> None:
    table = lake.table("assays")
    table.append_new(OTHER)
    Lake.open(lake.url).table("assays").append_new(ROW)
    assert table.append_new(ROW) == 0
    assert ligands(lake) == ["a", "b"]
    assert len(updates) == 1


def test_a_file_system_that_shows_entries_late_delays_a_writer_only(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_snapshot, "_TRUST_S", 0.3)
    table = lake.table("assays")
    with table.newest() as old:
        version = old.version()
    Lake.open(lake.url).table("assays").append_new(ROW)
    entry = table.log.newest_entry
    monkeypatch.setattr(table.log, "newest_entry", lambda v: (1, 1, 1) if v == version else entry(v))
    assert table.append_new(OTHER) == 1
    assert table.append_new(ROW) == 0
    assert ligands(Lake.open(lake.url)) == ["a", "b"]


def test_a_bucket_is_asked_every_time(bucket_lake: str) -> None:
    table = Lake.open(bucket_lake).table("assays")
    assert table.to_read() is not table.to_read()
