"""Statistics never hide a row from any reader."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.file_statistics import file_statistics
from tests.campaign import Campaign

SCHEMA = pa.schema(
    [
        pa.field("text", pa.string()),
        pa.field("number", pa.float64()),
        pa.field("count", pa.int64()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
        pa.field("flag", pa.bool_()),
        pa.field("several", pa.list_(pa.float64())),
    ]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["a" * 32, "a" * 33, "\U0010ffff" * 40, "\ud7ff" * 33, "a" * 31 + "\U0010ffff" + "b"]
)
TIME = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
NUMBER = st.floats(allow_nan=True, allow_infinity=True)
ROW = st.fixed_dictionaries(
    {
        "text": st.none() | TEXT,
        "number": st.none() | NUMBER,
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "at": st.none() | TIME,
        "flag": st.none() | st.booleans(),
        "several": st.none() | st.just([1.0]),
    }
)


@given(st.lists(ROW, min_size=1, max_size=6))
def test_every_value_lies_in_its_range_or_there_is_none(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)

    stated = json.loads(json.dumps(file_statistics(table), allow_nan=False))

    assert stated["numRecords"] == len(rows)
    least, most = stated.get("minValues", {}), stated.get("maxValues", {})
    for row in rows:
        for name in least:
            if row[name] is not None:
                value = row[name]
                low, high = (
                    map(datetime.fromisoformat, (least[name], most[name]))
                    if name == "at"
                    else (least[name], most[name])
                )
                assert low <= value <= high
    if "nullCount" in stated:
        # a column without a range would be treated as one without values
        filled = {name for name in stated["nullCount"] if stated["nullCount"][name] < len(rows)}
        assert filled == set(least) == set(most)


@pytest.mark.parametrize("name", ["text", "number", "count", "at", "flag"])
@pytest.mark.parametrize("value", [None, "typical", "extreme"])
def test_other_readers_of_delta_find_the_row(tmp_path: Path, name: str, value: str | None) -> None:
    typical = {"text": "a", "number": 1.5, "count": 3, "at": datetime(2026, 1, 1, 1, 1, 1, 999999, UTC), "flag": True}
    extreme = {**typical, "text": "z" * 50, "number": -1e300, "count": 2**62}
    row = {**(extreme if value == "extreme" else typical), "several": [1.0]}
    other = {**dict.fromkeys(typical), "several": None} if value is None else {**typical, "text": "b", "several": None}
    table = pa.Table.from_pylist([row, other], schema=SCHEMA)
    delta = DeltaTable.create(str(tmp_path / "t"), SCHEMA)
    pa.parquet.write_table(table, tmp_path / "t" / "f.parquet")
    size = (tmp_path / "t" / "f.parquet").stat().st_size
    stated = json.dumps(file_statistics(table))
    delta.create_write_transaction([AddAction("f.parquet", size, {}, 0, True, stated)], "append", delta.schema(), [])
    delta = DeltaTable(str(tmp_path / "t"))
    wanted, column = pc.field(name) == row[name], pl.col(name) == pl.lit(row[name])

    expected = len(table.filter(wanted))

    assert expected >= 1
    assert delta.to_pyarrow_dataset().to_table(filter=wanted).num_rows == expected
    assert pl.scan_delta(delta).filter(column).collect().height == expected
    assert pl.scan_delta(delta, use_pyarrow=True).filter(column).collect().height == expected


def test_tables_of_a_lake_are_read_by_others_as_by_us(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("pair", [("a", "b")])
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    campaign.result(task, 1.0, 0.1)
    lake = Lake.open(tmp_path / "lake")

    (row,) = lake.table("results").scan().collect().to_dicts()
    delta = DeltaTable(str(tmp_path / "lake" / "tables" / "results"))

    for name in ("task", "attempt", "ok", "estimate_kcal_mol", "started_at", "scope"):
        assert delta.to_pyarrow_table(filters=[(name, "=", row[name])]).num_rows == 1, name


def test_ranges_need_no_pandas() -> None:
    code = """
import sys
from datetime import UTC, datetime
import polars as pl
from alchemiscale_lake.store.file_statistics import file_statistics
rows = pl.DataFrame({"t": [datetime(1969, 7, 20, tzinfo=UTC), datetime(2025, 1, 1, 0, 0, 0, 7, UTC)], "x": ["a", "b"]})
found = file_statistics(rows.to_arrow())
assert found["minValues"]["t"] == "1969-07-20T00:00:00.000000Z", found
assert found["maxValues"]["t"] == "2025-01-01T00:00:00.000007Z", found
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
