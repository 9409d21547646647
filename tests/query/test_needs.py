from __future__ import annotations

import pytest

from alchemiscale_lake.query import NAMED_QUERIES, connect_for, read_sql
from alchemiscale_lake.query.needs import needed_by
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.table import LakeTable


def test_a_query_needs_the_tables_of_those_it_builds_on() -> None:
    needs = needed_by(["network_status"])

    assert needs.queries == ["in_scope", "task_states", "network_states", "transformation_status", "network_status"]
    assert needs.tables == [
        "networks", "network_members", "transformations", "task_log", "task_snapshots", "network_log",
    ]  # fmt: skip


def test_a_statement_that_is_no_view_needs_its_tables_too() -> None:
    assert needed_by(["newest_assays"]).tables == ["assays", "assay_log"]


def test_a_table_needs_itself_alone() -> None:
    assert needed_by(["hosts"]).tables == ["hosts"]


@pytest.mark.parametrize("name", [name for name, query in NAMED_QUERIES.items() if query.order_by])
def test_every_named_query_runs_with_what_it_needs_alone(lake: Lake, name: str) -> None:
    assert len(read_sql(connect_for(lake, name), f"from {name}")) == 0


def test_a_connection_opens_only_the_tables_it_needs(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    to_read = LakeTable.to_read
    monkeypatch.setattr(LakeTable, "to_read", lambda table: (opened.append(table.schema.name), to_read(table))[1])

    connect_for(lake, "network_states")

    assert sorted(opened) == ["network_log", "network_members", "networks"]
    assert len(opened) < len(TABLES)
