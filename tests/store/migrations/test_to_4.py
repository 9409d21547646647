"""Format 4: findings have a `description`, hosts are `readmitted`, in lakes that were migrated and that were not."""

from __future__ import annotations

import tarfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, check_table, migrate
from tests.schema_formats import archive_of

TEXT = ["network", "checked", "kind", "rank"]


@pytest.fixture
def old(tmp_path: Path) -> Lake:
    with tarfile.open(archive_of(3)) as archive:
        archive.extractall(tmp_path, filter="data")
    return Lake.open(tmp_path / "lake")


def texts(lake: Lake) -> pl.DataFrame:
    return ask(connect(lake), "latest_findings").select(*TEXT, "description").sort(TEXT)


def test_the_view_has_the_text_before_and_after(old: Lake) -> None:
    before = texts(old)
    assert before.height > 0
    assert before["description"].null_count() == 0

    migrate(old.url, tell=lambda _: None)

    assert texts(Lake.open(old.url)).equals(before)


def test_the_column_is_filled_and_the_former_one_kept(old: Lake) -> None:
    said = old.table("network_findings").scan().collect().height

    migrate(old.url, tell=lambda _: None)

    rows = Lake.open(old.url).table("network_findings").scan().collect()
    assert rows.height == said
    assert rows["description"].equals(rows["says"].rename("description"))


def test_rows_of_an_older_version_have_their_text_in_the_view(old: Lake) -> None:
    """One that appends beside this version after the migration writes the former column only."""
    migrate(old.url, tell=lambda _: None)
    lake = Lake.open(old.url)
    table = lake.table("network_findings")
    newest = ask(connect(lake), "latest_findings").sort("network").row(0, named=True)
    row = {c: newest.get(c) for c in table.schema.names}
    table.append_new([row | {"rank": 999, "says": "an older version wrote this", "description": None}])

    found = texts(lake).filter(pl.col("rank") == 999)

    assert found["description"].to_list() == ["an older version wrote this"]


# --- hosts ----------------------------------------------------------------------------------------


def readmit_as_before(lake: Lake, hostname: str) -> None:
    """Append what a version before format 4 appends."""
    table = lake.table("host_log")
    row = pl.DataFrame(TABLES["host_log"].sample(1, hostname=hostname, event="readmitted", ends_at=None))

    def rows(_: object, number: int) -> pa.Table:
        return table.schema.typed(row.with_columns(event=pl.lit("forgiven"), seq=pl.lit(number), idx=pl.lit(0)))

    table.append(rows)


def events(lake: Lake) -> list[tuple[int, str, str]]:
    rows = lake.table("host_log").scan().select("seq", "hostname", "event").collect()
    return rows.sort("seq").rows()  # type: ignore[no-any-return]


def test_hosts_that_were_readmitted_are_so_before_and_after(old: Lake) -> None:
    readmit_as_before(old, "node-1")
    before = old.host_log.decisions()
    assert before["node-1"].readmitted_at is not None

    migrate(old.url, tell=lambda _: None)

    lake = Lake.open(old.url)
    assert lake.host_log.decisions() == before
    assert events(lake) == [(1, "node-1", "quarantined"), (2, "node-1", "readmitted")]
    assert check_table(lake, "host_log").flaws == []
    lake.host_log.decide("node-2", None, caller=Caller("ada"))
    assert events(lake)[2:] == [(3, "node-2", "readmitted")]


def test_a_readmission_by_an_older_version_counts_after_the_migration(old: Lake) -> None:
    migrate(old.url, tell=lambda _: None)
    lake = Lake.open(old.url)
    readmit_as_before(lake, "node-1")

    assert lake.host_log.decisions()["node-1"].readmitted_at is not None
