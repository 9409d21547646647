"""Format 4: the text of a finding is `description`, in lakes that were migrated and in those that were not."""

from __future__ import annotations

import tarfile
from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.store import Lake, migrate
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
