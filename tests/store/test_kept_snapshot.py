"""Snapshots that are used again while they are the newest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alchemiscale_lake.errors import MissingTableError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake

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


def test_a_bucket_is_asked_every_time(bucket_lake: str) -> None:
    table = Lake.open(bucket_lake).table("assays")
    assert table.to_read() is not table.to_read()
