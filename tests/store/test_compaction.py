"""The same rows in fewer files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.errors import DamagedError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store import compaction as module
from alchemiscale_lake.store.compaction import Crowd, compact, crowded
from alchemiscale_lake.store.decoded_table import listed_files
from alchemiscale_lake.store.table import LakeTable

ASSAYS = TABLES["assays"]
TWO = Crowd(at_least=2)


def fill(table: LakeTable, scope: str, n: int, start: int = 0) -> None:
    for i in range(start, start + n):
        table.append_new(ASSAYS.sample(2, scope=scope, ligand=[f"{i}-a", f"{i}-b"]))


def rows(table: LakeTable) -> pl.DataFrame:
    return table.scan().collect().sort("scope", "ligand")


def files(table: LakeTable) -> dict[str, int]:
    listed = listed_files(table.snapshot())
    return dict(listed.group_by("partition.scope").len().iter_rows())


def test_each_partition_with_many_small_files_becomes_one_file(lake: Lake) -> None:
    table = lake.table("assays")
    fill(table, "a-b-c", 6)
    fill(table, "a-b-d", 5)
    fill(table, "a-b-e", 4)
    before = rows(table)
    assert crowded(table.snapshot(), table) == {"a-b-c": 6, "a-b-d": 5}

    assert compact(table, table.snapshot()) is None

    assert files(table) == {"a-b-c": 1, "a-b-d": 1, "a-b-e": 4}
    assert rows(table).equals(before)
    assert crowded(table.snapshot(), table) == {}


def test_a_table_without_partitions_is_one_crowd(lake: Lake) -> None:
    table, schema = lake.table("cost_models"), TABLES["cost_models"]
    for i in range(5):
        table.append_new(schema.sample(5).slice(i, 1))
    before = table.scan().collect().sort(schema.key)
    assert crowded(table.snapshot(), table) == {None: 5}

    compact(table, table.snapshot())

    assert len(listed_files(table.snapshot())) == 1
    assert table.scan().collect().sort(schema.key).equals(before)


def test_nothing_is_said_to_have_changed(lake: Lake) -> None:
    """Readers that follow the changes of a table do not see its rows again."""
    table = lake.table("assays")
    fill(table, "a-b-c", 5)
    compact(table, table.snapshot())

    entry = pl.read_ndjson(_newest_entry(table)).select("add", "remove")
    said = [action["dataChange"] for column in ("add", "remove") for action in entry[column].drop_nulls()]
    assert said == [False] * 6


def test_groups_are_no_larger_than_the_target(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    table = lake.table("assays")
    fill(table, "a-b-c", 6)
    size = max(listed_files(table.snapshot())["size_bytes"])
    monkeypatch.setattr(module, "_TARGET_BYTES", 2 * size)
    before = rows(table)

    compact(table, table.snapshot(), TWO)

    assert files(table) == {"a-b-c": 3}
    assert rows(table).equals(before)


def test_finished_partitions_stay_finished(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PARTITIONS_AT_ONCE", 1)
    table = lake.table("assays")
    fill(table, "a-b-c", 2)
    fill(table, "a-b-d", 2)
    _damage(lake, "a-b-d")

    with pytest.raises(DamagedError, match="maintain --repair"):
        compact(table, table.snapshot(), TWO)

    assert files(table) == {"a-b-c": 1, "a-b-d": 2}


def test_rows_that_come_meanwhile_are_kept(lake: Lake) -> None:
    table = lake.table("assays")
    fill(table, "a-b-c", 5)
    old = table.snapshot()
    fill(table, "a-b-c", 1, start=5)
    before = rows(table)

    assert compact(table, old) is None

    assert files(table) == {"a-b-c": 2}
    assert rows(table).equals(before)


def test_files_that_another_has_merged_are_left(lake: Lake) -> None:
    table = lake.table("assays")
    fill(table, "a-b-c", 5)
    old = table.snapshot()
    compact(table, table.snapshot())
    before = rows(table)

    assert "were replaced meanwhile" in str(compact(table, old))

    assert files(table) == {"a-b-c": 1}
    assert rows(table).equals(before)


def _damage(lake: Lake, scope: str) -> None:
    assert lake.local_path is not None
    file = next((lake.local_path / "tables/assays").glob(f"scope={scope}/*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _newest_entry(table: LakeTable) -> Path:
    assert table.log.folder is not None
    return max(table.log.folder.glob("0*.json"))
