"""A power cut removes nothing that was acknowledged: data, then the commit, then its name are fsynced."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.delta_log import entry_name
from tests.disk import Disk
from tests.plain import SCOPE
from tests.store.recorded_disk import ASSAYS, create, tasks_after_a_cut


@pytest.mark.parametrize(
    "how", [{}, {"names": True}, {"names": True, "half": True}], ids=["names lost", "empty", "half"]
)
def test_what_was_acknowledged_is_there_after_a_cut(lake: Lake, tmp_path: Path, how: dict[str, bool]) -> None:
    assert lake.local_path is not None
    with Disk(lake.local_path) as disk:
        for i in range(3):
            create(lake, f"{i}a", f"{i}b")
            lake.table("assays").append_new(ASSAYS.sample(2, scope=["a-b-c", f"a-b-d{i}"], ligand=f"l{i}"))
            lake.network_log.set([f"AlchemicalNetwork-1-{SCOPE}"], caller=Caller("t"), weight=i / 10)
            lake.objects.put("plots/a.png", b"%d" % i)
            lake.objects.put_exclusive(f"attempts/{SCOPE}/{i}/receipt.arrow", b"%d" % i)
        lake.task_log.fold()
        left = tasks_after_a_cut(disk, tmp_path / "cut", **how)
    assert len(left) == 6
    after = Lake.open(tmp_path / "cut")
    assert len(after.table("assays").scan().collect()) == 6
    assert after.table("task_snapshots").scan().collect()["as_of_seq"].unique().to_list() == [3]
    assert after.network_log.states()[f"AlchemicalNetwork-1-{SCOPE}"].weight == 0.2
    assert after.objects.get("plots/a.png") == b"2"
    assert after.objects.list("attempts") == [f"attempts/{SCOPE}/{i}/receipt.arrow" for i in range(3)]


def test_no_entry_lasts_before_its_data_and_the_entry_below_it(lake: Lake) -> None:
    assert lake.local_path is not None
    with Disk(lake.local_path) as disk:
        for i in range(3):
            create(lake, str(i))
    table = "tables/task_log/"
    for tree in disk.cuts()[1:]:
        entries = sorted(name for name in tree if name.startswith(f"{table}_delta_log/0"))
        assert entries == [f"{table}_delta_log/{entry_name(i)}" for i in range(len(entries))]
        for added in added_by([tree[name] for name in entries]):
            assert len(tree[table + added["path"]]) == added["size"]
    assert not disk.fsynced_twice


def added_by(entries: list[bytes]) -> list[dict[str, object]]:
    actions = [json.loads(line) for entry in entries for line in entry.splitlines()]
    return [action["add"] for action in actions if "add" in action]


def test_a_new_lake_lasts(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        lake = Lake.create(tmp_path / "new" / "lake")
        disk.cut(tmp_path.parent / f"{tmp_path.name}-cut")
    left = tmp_path.parent / f"{tmp_path.name}-cut" / "new" / "lake"
    assert create(Lake.open(left), "a") == 1
    assert lake.table("migrations").scan().collect().equals(Lake.open(left).table("migrations").scan().collect())


def test_files_of_a_commit_are_skipped_by_number_and_scope(lake: Lake) -> None:
    for i in range(4):
        create(lake, f"{i}a", f"{i}b", scope=f"a-b-c{i % 2}")
    assert lake.local_path is not None
    table = lake.table("task_log")
    by_number = table.scan().filter(pl.col("seq") > 3)
    by_scope = table.scan().filter(pl.col("scope") == "a-b-c0")
    for path in lake.local_path.joinpath("tables", "task_log").rglob("*.parquet"):
        number = pq.read_table(path)["seq"][0].as_py()
        if number < 4:
            path.unlink()
    assert by_number.collect().height == 2
    with pytest.raises((pl.exceptions.ComputeError, OSError)):
        by_scope.collect()


def test_statistics_are_right(lake: Lake) -> None:
    create(lake, "a", "b", "c")
    actions = lake.table("task_log").snapshot().get_add_actions(flatten=True)
    (row,) = pl.DataFrame(actions).rows(named=True)
    assert row["num_records"] == 3
    assert (row["min.seq"], row["max.seq"], row["null_count.seq"]) == (1, 1, 0)
    assert (row["min.idx"], row["max.idx"]) == (0, 2)
    assert (row["min.pattern_seq"], row["null_count.pattern_seq"]) == (None, 3)
