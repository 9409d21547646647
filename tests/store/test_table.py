from __future__ import annotations

import threading

import polars as pl
import pytest

from alchemiscale_lake.errors import SchemaError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.schemas._base import TableSchema
from alchemiscale_lake.store import Lake

ASSAYS = TABLES["assays"]


@pytest.fixture
def lake(place: str) -> Lake:
    """In a folder, and in a bucket."""
    return Lake.open(place)


def test_append_new_writes_each_key_once(lake: Lake) -> None:
    table = lake.table("assays")
    rows = ASSAYS.sample(3)
    assert table.append_new(rows) == 3
    assert table.append_new(rows) == 0
    assert table.append_new(ASSAYS.sample(5)) == 2
    assert table.scan().collect()["ligand"].sort().to_list() == [f"ligand-{i}" for i in range(5)]


def test_of_equal_keys_in_one_batch_the_first_counts(lake: Lake) -> None:
    first, second = (ASSAYS.sample(1, entered_by=who).to_pylist()[0] for who in ("first", "second"))
    assert lake.table("assays").append_new([first, second]) == 1
    assert lake.table("assays").scan().collect()["entered_by"].to_list() == ["first"]


def test_equal_keys_in_two_scopes_are_two_rows(lake: Lake) -> None:
    for scope in ("a-b-c", "a-b-d", "a-b-c"):
        lake.table("assays").append_new(ASSAYS.sample(1, scope=scope))
    assert sorted(lake.table("assays").scan().collect()["scope"]) == ["a-b-c", "a-b-d"]


def test_nothing_is_written_when_one_row_is_bad(lake: Lake) -> None:
    good, bad = ASSAYS.sample(2).to_pylist()
    bad["kind"] = "guess"
    with pytest.raises(SchemaError, match="'kind' is 'guess'"):
        lake.table("assays").append_new([good, bad])
    assert lake.table("assays").scan().collect().height == 0
    assert lake.table("assays").snapshot().version() == 0


def test_rows_are_checked_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ASSAYS.sample(2)
    checked: list[int] = []
    monkeypatch.setattr(TableSchema, "_rule_problems", lambda _, table: checked.append(len(table)) or [])

    assert lake.table("assays").append_new(rows) == 2
    assert checked == [2]


def test_no_rows_make_no_commit(lake: Lake) -> None:
    assert lake.table("assays").append_new([]) == 0
    assert lake.table("assays").snapshot().version() == 0


def test_concurrent_writers_neither_lose_nor_duplicate_rows(lake: Lake) -> None:
    """Four writers, overlapping keys."""
    written: list[int] = []

    def write(start: int) -> None:
        for i in range(start, start + 12, 3):
            ligands = [f"lig{n}" for n in range(i, i + 6)]
            rows = ASSAYS.sample(6, ligand=ligands, value_kcal_mol=1.0, source="s")
            written.append(Lake.open(lake.url).table("assays").append_new(rows))

    threads = [threading.Thread(target=write, args=(4 * w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = lake.table("assays").scan().collect()
    assert rows["ligand"].is_unique().all()
    expected = {f"lig{n}" for w in range(4) for i in range(4 * w, 4 * w + 12, 3) for n in range(i, i + 6)}
    assert set(rows["ligand"]) == expected
    assert sum(written) == len(expected)


def test_replace_never_goes_back(lake: Lake) -> None:
    snapshots = lake.table("action_snapshots")
    schema = TABLES["action_snapshots"]
    assert snapshots.replace(schema.sample(2, as_of_seq=5), number=5)
    assert not snapshots.replace(schema.sample(1, as_of_seq=4), number=4)
    assert not snapshots.replace(schema.sample(1, as_of_seq=5), number=5)
    assert snapshots.scan().collect()["as_of_seq"].to_list() == [5, 5]
    assert snapshots.replace(schema.sample(1, as_of_seq=6), number=6)
    assert snapshots.scan().select(pl.len()).collect().item() == 1
