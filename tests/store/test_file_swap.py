"""Data files replaced by others with the same rows, beside readers and writers."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake.transaction import AddAction

from alchemiscale_lake.errors import DamagedError, StorageError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.decoded_table import listed_files
from alchemiscale_lake.store.file_swap import File, read_file, swap_files
from alchemiscale_lake.store.table import LakeTable

ASSAYS = TABLES["assays"]
SCOPE = "a-b-c"


@pytest.fixture
def table(lake: Lake) -> LakeTable:
    made = lake.table("assays")
    for ligand in "ab":
        made.append_new(ASSAYS.sample(1, scope=SCOPE, ligand=ligand))
    return made


def listed(table: LakeTable) -> list[File]:
    return listed_files(table.snapshot()).sort("path").to_dicts()


def place(table: LakeTable, file: File) -> Path:
    assert table.log.folder is not None
    return table.log.folder.parent / str(file["path"])


def ligands(table: LakeTable) -> list[str]:
    return sorted(table.scan().collect()["ligand"])


def test_a_file_is_read_with_the_columns_of_the_table(table: LakeTable) -> None:
    delta, (first, second) = table.snapshot(), listed(table)

    read = [read_file(table, delta, SCOPE, file) for file in (first, second)]

    assert {tuple(rows.column_names) for rows in read} == {tuple(ASSAYS.names)}
    assert [rows["scope"].to_pylist() for rows in read] == [[SCOPE], [SCOPE]]
    assert sorted(rows["ligand"][0].as_py() for rows in read) == ["a", "b"]


def test_columns_that_came_after_a_file_are_null(table: LakeTable) -> None:
    file = listed(table)[0]
    older = place(table, file).with_name("older.parquet")
    pq.write_table(pq.ParquetFile(place(table, file)).read().drop_columns(["smiles"]), older)

    rows = read_file(table, table.snapshot(), SCOPE, {"path": "scope=a-b-c/older.parquet"})

    assert rows["smiles"].to_pylist() == [None]
    assert rows.schema.names == ASSAYS.names


def test_nothing_is_made_from_a_changed_file(table: LakeTable) -> None:
    file = listed(table)[0]
    data = bytearray(place(table, file).read_bytes())
    data[len(data) // 2] ^= 4
    place(table, file).write_bytes(data)

    with pytest.raises(DamagedError, match="does not match the digest in its name") as caught:
        read_file(table, table.snapshot(), SCOPE, file)

    assert caught.value.facts["path"] == f"tables/assays/{file['path']}"


def test_a_file_that_is_no_parquet_names_itself(table: LakeTable) -> None:
    odd = place(table, listed(table)[0]).with_name("odd.parquet")
    odd.write_bytes(b"not Parquet")

    with pytest.raises(StorageError, match=r"cannot read tables/assays/scope=a-b-c/odd\.parquet"):
        read_file(table, table.snapshot(), SCOPE, {"path": "scope=a-b-c/odd.parquet"})


def merged(table: LakeTable) -> tuple[list[AddAction], list[File]]:
    """Return a file with the rows of all others, not committed yet, and these others."""
    replaced = listed(table)
    return list(table.files.write(table.scan().collect().to_arrow().cast(ASSAYS.arrow), data_change=False)), replaced


def test_a_swap_is_one_commit(table: LakeTable) -> None:
    delta = table.snapshot()
    added, replaced = merged(table)

    assert swap_files(table, delta, added, replaced, data_change=False)

    assert table.snapshot().version() == 3
    assert len(listed(table)) == 1
    assert ligands(table) == ["a", "b"]


def test_a_swap_goes_on_through_newer_commits(table: LakeTable) -> None:
    delta = table.snapshot()
    added, replaced = merged(table)
    for ligand in "cd":
        table.append_new(ASSAYS.sample(1, scope=SCOPE, ligand=ligand))

    assert swap_files(table, delta, added, replaced, data_change=False)

    assert ligands(table) == ["a", "b", "c", "d"]


def test_of_two_swaps_of_one_file_the_second_changes_nothing(table: LakeTable) -> None:
    delta = table.snapshot()
    first, replaced = merged(table)
    second, _ = merged(table)
    assert swap_files(table, delta, first, replaced, data_change=False)

    assert not swap_files(table, delta, second, replaced, data_change=False)

    assert ligands(table) == ["a", "b"]
