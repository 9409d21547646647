from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, LakeTable, maintain, tidying
from alchemiscale_lake.store.compaction import Crowd

RESULTS = TABLES["results"]
SCOPE = "a-b-c"


@pytest.fixture
def lake(place: str) -> Lake:
    """In a folder, and in a bucket."""
    return Lake.open(place)


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "_SMALL", Crowd(at_least=10, below_bytes=2**18))


def record(table: LakeTable, *attempts: str, scope: str = SCOPE) -> int:
    return table.append_new(RESULTS.sample(len(attempts), scope=scope, attempt=list(attempts)))


def attempts_in(lake: Lake) -> list[str]:
    return sorted(Lake.open(lake.url).table("results").scan().collect()["attempt"])


def read_from(table: LakeTable, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the data files that the table reads keys from."""
    read: list[str] = []
    original = table._read

    def watched(paths: list[str], columns: list[str]) -> list[pl.DataFrame]:
        read.extend(paths)
        return original(paths, columns)

    monkeypatch.setattr(table._keys, "_read", watched)
    return read


@pytest.mark.usefixtures("few_are_many")
def test_a_writer_merges_small_files(lake: Lake) -> None:
    table = lake.table("results")
    attempts = [uuid.uuid4().hex for _ in range(45)]
    for attempt in attempts:
        assert record(table, attempt) == 1
    assert len(table.snapshot().file_uris()) <= 20 + 5
    assert attempts_in(lake) == sorted(attempts)


@pytest.mark.usefixtures("few_are_many")
def test_keys_are_known_after_files_were_merged_by_this_or_another_writer(lake: Lake) -> None:
    mine, other = lake.table("results"), Lake.open(lake.url)
    for number in range(25):
        record(mine, f"{number:032x}")
    maintain(other)
    assert len(mine.snapshot().file_uris()) == 1
    assert [record(mine, f"{number:032x}") for number in range(25)] == [0] * 25
    assert record(mine, f"{25:032x}") == 1


def test_keys_that_another_writer_added_are_known(lake: Lake) -> None:
    mine, others = lake.table("results"), Lake.open(lake.url).table("results")
    assert record(mine, "01") == 1
    assert record(others, "02", "04") == 2
    assert record(mine, "02", "03", "04", "05") == 2
    assert attempts_in(lake) == ["01", "02", "03", "04", "05"]


def test_only_new_files_with_such_keys_are_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, others = lake.table("results"), Lake.open(lake.url).table("results")
    read = read_from(mine, monkeypatch)
    for pair in (("01", "05"), ("11", "15"), ("21", "25")):
        record(others, *pair)
    assert record(mine, "03") == 1
    assert len(read) == 1, "a file without such keys was read"
    assert record(mine, "04", "13") == 2
    assert len(read) == 2, "a file was read again"
    record(others, "12")
    assert record(mine, "12", "23") == 1
    assert len(read) == 2 + 3 + 1, "the new files around 12 and 23, and again the one that has 12"


def test_a_key_of_another_scope_is_new(lake: Lake) -> None:
    table = lake.table("results")
    assert [record(table, "01"), record(table, "01", scope="a-b-d"), record(table, "01")] == [1, 1, 0]


def test_equal_digests_are_not_taken_for_equal_keys(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def always_equal(frame: pl.DataFrame, **_: Any) -> pl.Series:
        return pl.Series([7] * len(frame), dtype=pl.UInt64)

    monkeypatch.setattr(pl.DataFrame, "hash_rows", always_equal)
    table = lake.table("results")
    assert [record(table, "02", "04"), record(table, "03"), record(table, "04", "03")] == [2, 1, 0]


def test_a_failure_to_merge_fails_no_commit(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tidying, "_SMALL", Crowd(at_least=10, below_bytes=2**18))
    monkeypatch.setattr(tidying, "compact", fails)
    table = lake.table("results")
    assert [record(table, f"{number:02}") for number in range(21)] == [1] * 21
    assert "could not tidy table 'results' at version 20" in caplog.text


def test_keys_are_read_where_a_path_has_special_characters(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "a=b *? 100%" / "lake")
    record(lake.table("results"), "01", "03")
    assert record(Lake.open(lake.url).table("results"), "01", "02") == 1
