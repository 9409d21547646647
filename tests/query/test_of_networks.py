from __future__ import annotations

import duckdb
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.query import ask, connect, connect_to_networks
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.plain import plain_chain, plain_receipt

ANA = Caller("ana")
SCOPES = ("o-c-one", "o-c-one", "o-c-two")
#: Answers that gathering and its tables are made of.
QUESTIONS = ("network_states", "network_legs", "transformation_status", "network_status", "ligand_ranking")


@pytest.fixture
def networks(lake: Lake) -> list[str]:
    """Return three networks with results, two of them in one Scope; one Transformation is in both of these."""
    found = []
    for number, scope in enumerate(SCOPES):
        chain = plain_chain([("a", "b"), ("b", f"c{number}")], name=f"net{number}")
        found.append(submit_network(lake, chain, scope).network)
        ensure_tasks(lake, found[-1], 2, caller=ANA)
        claims = claim_tasks(lake, "p", 3, lease_s=600, caller=ANA)
        record_receipts(lake, [plain_receipt(claim) for claim in claims], caller=ANA)
        if number == 1:
            lake.task_log.fold()
    return found


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_answers_about_its_networks_as_a_whole_connection_does(
    lake: Lake, networks: list[str], question: str
) -> None:
    for network in networks:
        expected = ask(connect(lake), question, network=network)
        assert ask(connect_to_networks(lake, [network]).connection, question, network=network).equals(expected)


def test_it_sees_no_row_of_other_networks(lake: Lake, networks: list[str]) -> None:
    connection = connect_to_networks(lake, networks[2:]).connection
    for table in ("results", "tasks", "transformations", "task_log", "task_snapshots", "networks", "network_members"):
        assert set(connection.sql(f"select scope from {table}").fetchall()) <= {("o-c-two",)}, table
    assert len(connection.sql("select * from results").fetchall()) == 3
    assert len(connection.sql("select * from unit_results").fetchall()) == 3


def test_rows_without_network_are_seen(lake: Lake, networks: list[str]) -> None:
    lake.table("assays").append_new(TABLES["assays"].sample(2, scope="o-c-two"))
    seen = connect_to_networks(lake, networks[2:]).connection
    assert len(seen.sql("select * from assays").fetchall()) == 2
    assert len(seen.sql("select * from hosts").fetchall()) == 1


def test_its_position_is_the_newest_commit_of_the_whole_log(lake: Lake, networks: list[str]) -> None:
    assert connect_to_networks(lake, networks[:1]).seq == lake.task_log.states().seq
    lake.task_log.fold()
    assert connect_to_networks(lake, networks[:1]).seq == lake.task_log.states().seq


def test_rows_of_few_transformations_are_read_once(
    lake: Lake, networks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = connect_to_networks(lake, networks[2:]).connection
    monkeypatch.setattr("alchemiscale_lake.query.of_networks._FEW", 0)
    many = connect_to_networks(lake, networks[2:]).connection
    assert lake.local_path is not None

    for file in (lake.local_path / "tables" / "results").rglob("*.parquet"):
        file.unlink()

    assert len(few.sql("select * from counted_results").fetchall()) == 3
    with pytest.raises(duckdb.Error):
        many.sql("select * from counted_results").fetchall()
