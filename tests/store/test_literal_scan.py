"""Tables below folders whose names readers would expand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.literal_scan import is_plain, scan_literally
from tests.lakes import new_lake

ASSAYS = TABLES["assays"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("lake", True),
        ("my lake", True),
        ("50% of it", True),
        ("k=v", False),
        ("a*b", False),
        ("a?b", False),
        ("{x}", False),
    ],
)
def test_names_that_readers_expand(tmp_path: Path, name: str, plain: bool) -> None:
    lake = new_lake(tmp_path / name / "lake")
    for scope in ("a-b-c", "a-b-d"):
        lake.table("assays").append_new(ASSAYS.sample(2, scope=scope))
    delta = lake.table("assays").snapshot()

    assert is_plain(delta) is plain
    rows = scan_literally(delta).collect()
    assert rows.height == lake.table("assays").scan().collect().height == 4
    assert (
        rows.select(ASSAYS.names)
        .sort("scope", "ligand")
        .equals(lake.table("assays").scan().collect().sort("scope", "ligand"))
    )


def test_a_filter_reads_only_the_files_of_its_partition(lake: Lake) -> None:
    table = lake.table("assays")
    for scope in ("a-b-c", "a-b-d"):
        table.append_new(ASSAYS.sample(2, scope=scope))
    assert lake.local_path is not None
    delta = table.snapshot()
    for other in (lake.local_path / "tables/assays/scope=a-b-d").glob("*.parquet"):
        other.unlink()  # it would fail if it were opened

    rows = scan_literally(delta).filter(pl.col("scope") == "a-b-c").collect()

    assert rows["scope"].to_list() == ["a-b-c"] * 2


def test_columns_without_statistics_hide_no_file(lake: Lake) -> None:
    """In a file where a column is null throughout, its range is unknown."""
    table = lake.table("network_log")
    table.append_decided(lambda _: TABLES["network_log"].sample(1, reason=None, scope="a-b-c"))
    delta = table.snapshot()

    assert scan_literally(delta).filter(pl.col("reason").is_null()).collect().height == 1
    assert scan_literally(delta).filter(pl.col("reason") == "x").collect().height == 0
