"""Every named query on one small campaign, compared with snapshots; and the guarantees of the connection."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from syrupy.assertion import SnapshotAssertion

import alchemiscale_lake
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import AmbiguousScopeError, NotFoundError, QueryError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import NAMED_QUERIES, ask, connect, find_network, read_sql
from alchemiscale_lake.report import Table
from alchemiscale_lake.schemas import TABLES
from tests.campaign import SCOPE, Campaign, hours, small_campaign

#: Times of writing differ between runs; the texts of notes belong to the estimators.
_APART = ("claimed_at", "estimated_at", "found_at", "leg_uncertainties_kcal_mol", "recorded_at", "note", "notes")
NETWORK = f"AlchemicalNetwork-tyk2-{SCOPE}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = small_campaign(tmp_path_factory.mktemp("query") / "lake")
    gather_network(made.lake, NETWORK)
    known_under_another_key(made)
    link = {"scope": SCOPE, "kind": "binding", "ligand_i": "a", "ligand_j": "d", "value_kcal_mol": 0.5}
    link |= {"uncertainty_kcal_mol": 0.3, "event": "declared", "actor": "ada", "at": hours(1)}
    made.lake.table("link_log").append_new([link, {**link, "value_kcal_mol": 0.4, "at": hours(2)}])
    return made


def known_under_another_key(made: Campaign) -> None:
    """Let the network have a Transformation of its own that is stored under another key."""
    (row,) = TABLES["gufe_objects"].sample(1).to_pylist()
    fields = {"scope": SCOPE, "key": "AlchemicalNetwork-tyk2", "refers_to": ["ChemicalSystem-1", "Transformation-own"]}
    made.lake.table("gufe_objects").append_new([{**row, **fields}])
    stored = made.transformation("a_b_solvent")
    common = {"scope": SCOPE, "calculation": "0123", "stands_for": stored, "recorded_at": hours(1)}
    keys = (stored, made.transformation("own"))
    made.lake.table("calculations").append_new([{**common, "transformation": key} for key in keys])


@pytest.fixture(scope="module")
def connection(campaign: Campaign) -> duckdb.DuckDBPyConnection:
    return connect(campaign.lake)


#: Results of the campaign do not say where they ran; `tests/statestore/test_package_use.py` has some that do.
_ELSEWHERE = "package_versions"


@pytest.mark.parametrize("query", [q.name for q in NAMED_QUERIES.values() if q.order_by and q.name != _ELSEWHERE])
def test_answers(connection: duckdb.DuckDBPyConnection, query: str, snapshot: SnapshotAssertion) -> None:
    answer = ask(connection, query)

    assert len(answer)
    # the last digits of a sum of floats depend on the machine
    assert Table.of(answer.drop([c for c in _APART if c in answer.columns])).tsv(digits=9) == snapshot


def test_no_named_query_hides_a_table_and_each_states_its_grain() -> None:
    assert not set(NAMED_QUERIES) & set(TABLES)
    assert all(query.description and query.grain for query in NAMED_QUERIES.values())


def test_every_table_is_a_view_with_its_columns_in_order(connection: duckdb.DuckDBPyConnection) -> None:
    assert {name: connection.sql(f"from {name}").columns for name in TABLES} == {
        name: schema.names for name, schema in TABLES.items()
    }


def test_connect_is_offered_at_the_top_and_takes_a_path(campaign: Campaign) -> None:
    con = alchemiscale_lake.connect(campaign.lake.local_path)

    assert con.sql("select count(*) from networks").fetchall() == [(2,)]
    assert alchemiscale_lake.Lake is type(campaign.lake)
    assert con.sql("select min(started_at) from results").fetchall()[0][0] == hours(1)


def test_a_connection_keeps_its_snapshot(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    before = connect(campaign.lake)

    campaign.network("late", [("a", "b")])

    assert len(ask(before, "network_states")) == 0
    assert len(ask(connect(campaign.lake), "network_states")) == 1


def test_nothing_is_loaded_from_the_network(connection: duckdb.DuckDBPyConnection) -> None:
    names = ("autoinstall_known_extensions", "autoload_known_extensions")

    assert [connection.sql(f"select current_setting('{name}')").fetchall() for name in names] == [[(False,)]] * 2


def test_values_are_bound_and_never_become_sql(connection: duckdb.DuckDBPyConnection) -> None:
    hostile = "x' or 'a' = 'a"

    with pytest.raises(NotFoundError, match="no network has the ScopedKey"):
        ask(connection, "network_status", network=hostile)
    assert len(ask(connection, "failures", transformation=hostile)) == 0
    with pytest.raises(NotFoundError, match="has no column"):
        ask(connection, "network_status", **{"1=1 or name": "x"})


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("*-*-*", ["idle", "tyk2"]),
        ("org-*-*", ["idle", "tyk2"]),
        ("org-campaign-*", ["idle", "tyk2"]),
        ("org-campaign-other", ["idle"]),
        ("org-camp-*", []),
        (None, ["idle", "tyk2"]),
    ],
)
def test_scopes_may_be_patterns(connection: duckdb.DuckDBPyConnection, scope: str | None, names: list[str]) -> None:
    assert ask(connection, "network_states", scope=scope)["name"].to_list() == names


def test_an_invalid_query_is_reported(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NotFoundError, match=r"no named query 'status'; did you mean .*network_status"):
        ask(connection, "status")
    with pytest.raises(NotFoundError, match="no named query 'in_scope'"):
        ask(connection, "in_scope")
    with pytest.raises(NotFoundError, match="'throughput' has no column network"):
        ask(connection, "throughput", network=NETWORK)
    with pytest.raises(QueryError, match="syntax error"):
        read_sql(connection, "selct 1")


def test_network_states_follow_the_log(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    first, second = (campaign.network(name, [("a", "b")]) for name in ("first", "second"))
    campaign.lake.network_log.set([first], caller=Caller("ada"), weight=0.9)
    campaign.lake.network_log.set([first], caller=Caller("ada"), state="inactive")

    states = ask(connect(campaign.lake), "network_states").select("network", "state", "weight").rows()

    assert states == [(first, "inactive", 0.9), (second, "active", 0.5)]


# --- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["tyk2", NETWORK, "AlchemicalNetwork-tyk2", "AlchemicalNetwork-t"])
def test_a_network_is_found_by_name_key_or_beginning(campaign: Campaign, text: str) -> None:
    assert find_network(campaign.lake, text) == NETWORK


def test_the_only_network_need_not_be_named(campaign: Campaign) -> None:
    assert find_network(campaign.lake, scope="org-campaign-project") == NETWORK


def test_an_ambiguous_network_lists_the_candidates(campaign: Campaign) -> None:
    with pytest.raises(AmbiguousScopeError, match="several networks") as unnamed:
        find_network(campaign.lake)
    with pytest.raises(NotFoundError, match="no network has the name or ScopedKey 'AlchemicalNetwork-'"):
        find_network(campaign.lake, "AlchemicalNetwork-")  # as good as no name: it fits every network

    assert unnamed.value.facts["candidates"] == ["AlchemicalNetwork-idle-org-campaign-other", NETWORK]
    assert "  idle --scope org-campaign-other\n  tyk2 --scope org-campaign-project" in str(unnamed.value)


def test_an_unknown_network_and_an_empty_lake_are_reported(campaign: Campaign, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no network has the name or ScopedKey 'nosuch'"):
        find_network(campaign.lake, "nosuch")
    with pytest.raises(NotFoundError, match="there is no network in"):
        find_network(Campaign.at(tmp_path / "lake").lake)
