"""Connections that see some Scopes only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alchemiscale_lake import Scope, connect
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.query import connect_for
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.host_records import quarantine_host
from alchemiscale_lake.statestore.new_tasks import ensure_tasks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake, now_utc
from tests.plain import plain_chain, plain_receipt
from tests.statestore.test_result_recording import spec

ANA = Caller("ana")
SCOPES = ("a-one-x", "a-two-x", "b-one-x")


@pytest.fixture
def shared(lake: Lake) -> Lake:
    """Three Scopes, each with a network, a Task and its result."""
    for scope in SCOPES:
        network = submit_network(lake, plain_chain([("a", "b")]), scope, caller=ANA).network
        ensure_tasks(lake, network, 1, caller=ANA)
    claims = claim_tasks(lake, "p", 3, lease_s=600, caller=ANA)
    record_receipts(lake, [plain_receipt(spec(claim)) for claim in claims], caller=ANA)
    quarantine_host(lake, "bad", now_utc() + timedelta(hours=1), caller=ANA)
    return lake


@pytest.mark.parametrize(
    ("scopes", "seen"),
    [
        (None, SCOPES),
        ("a-one-x", ("a-one-x",)),
        ("a-*-*", ("a-one-x", "a-two-x")),
        (Scope("b"), ("b-one-x",)),
        (["a-one-x", "b-*-*"], ("a-one-x", "b-one-x")),
        ([], ()),
        ("*-*-*", SCOPES),
    ],
)
def test_a_connection_sees_the_rows_of_its_scopes(shared: Lake, scopes: object, seen: tuple[str, ...]) -> None:
    connection = connect(shared, scopes)  # type: ignore[arg-type]
    for name, table in TABLES.items():
        if "scope" in table.names:
            found = {row[0] for row in connection.sql(f"select distinct scope from {name}").fetchall()}
            assert found <= set(seen), name
    for view in ("task_states", "network_status", "throughput", "current_transformation_estimates"):
        found = {row[0] for row in connection.sql(f"select distinct scope from {view}").fetchall()}
        assert found <= set(seen), view
    assert connection.sql("select count(*) from task_states").fetchall() == [(len(seen),)]


def test_what_belongs_to_no_scope_is_seen_by_those_who_see_everything(shared: Lake) -> None:
    assert connect(shared).sql("select count(*) from host_log").fetchall() == [(1,)]
    assert connect(shared, "a-one-x").sql("select count(*) from host_log").fetchall() == [(0,)]
    assert connect(shared).sql("select count(*) from hosts").fetchall() == [(1,)]
    assert connect(shared, "a-one-x").sql("select count(*) from hosts").fetchall() == [(1,)]
    assert connect(shared, []).sql("select count(*) from hosts").fetchall() == [(0,)]


@pytest.mark.parametrize("scopes", [None, ["a-one-x"], []])
def test_a_connection_for_few_queries_sees_what_a_whole_one_does(shared: Lake, scopes: list[str] | None) -> None:
    few, whole = connect_for(shared, "throughput", "hosts", scopes=scopes), connect(shared, scopes)
    for name in ("throughput", "hosts"):
        seen = [sorted(one.sql(f"from {name}").fetchall(), key=str) for one in (few, whole)]
        assert seen[0] == seen[1], name
    assert "task_log" not in {row[0] for row in few.sql("select view_name from duckdb_views()").fetchall()}
