"""Declared links: what apart parts get in common, in estimates, findings, ranks, comparisons, drawings and commands."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake import declare_link, rank_network, withdraw_link
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import EstimationError, NotFoundError, SettingsError
from alchemiscale_lake.estimates.comparisons import compare
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.estimates.links import current_links
from alchemiscale_lake.estimates.missing_links import missing_links
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report import dg_table
from alchemiscale_lake.report.network_graph import network_graph
from tests.campaign import SCOPE, Campaign

ME = Caller("me")
#: One ligand in two structures of a protein.
IN_1, IN_2 = "in ProteinComponent-1", "in ProteinComponent-2"
PAIRS = [("a", "b"), ("b", "c")]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


@pytest.fixture
def network(campaign: Campaign) -> str:
    """Return a network of ligands in two structures, which share solvent legs and no scale."""
    phases = ("solvent", "complex:ProteinComponent-1", "complex:ProteinComponent-2")
    network = campaign.network("two", PAIRS, phases)
    values = {"solvent": 0.0, "complex_ProteinComponent1": 1.0, "complex_ProteinComponent2": 2.0}
    with campaign.together():
        for (a, b), (phase, value) in itertools.product(PAIRS, values.items()):
            for task, spread in zip(campaign.new_tasks(network, [f"{a}_{b}_{phase}"] * 2), (-0.05, 0.05), strict=True):
                campaign.result(task, value + spread, 0.1)
    gather_network(campaign.lake, network)
    return network


def nodes(campaign: Campaign, network: str) -> dict[str, dict[str, object]]:
    gather_network(campaign.lake, network)
    rows = ask(connect(campaign.lake), "ligand_ranking", network=network)
    return {row["ligand"]: row for row in rows.iter_rows(named=True)}


def edges_of(campaign: Campaign, network: str) -> pl.DataFrame:
    return ask(connect(campaign.lake), "latest_edges", network=network)


def link(campaign: Campaign, network: str, **numbers: float) -> list[str]:
    given = {"offset_kcal_mol": 0.5, "uncertainty_kcal_mol": 0.3, **numbers}
    return declare_link(campaign.lake, network, f"b {IN_2}", f"b {IN_1}", caller=ME, **given)


def test_a_link_gives_two_structures_one_scale_with_its_offset_and_uncertainty(
    campaign: Campaign, network: str
) -> None:
    before = nodes(campaign, network)
    assert {row["component"] for row in before.values()} == {0, 1}

    assert link(campaign, network) == ["binding"]

    after = nodes(campaign, network)
    assert {row["component"] for row in after.values()} == {0}
    value = {ligand: float(str(row["value_kcal_mol"])) for ligand, row in after.items()}
    assert value[f"b {IN_1}"] - value[f"b {IN_2}"] == pytest.approx(0.5)
    assert value[f"c {IN_1}"] - value[f"b {IN_1}"] == pytest.approx(1.0)
    assert value[f"c {IN_2}"] - value[f"b {IN_2}"] == pytest.approx(2.0)
    stored = connect(campaign.lake).sql("select * from network_estimates where round = 2 order by node").pl()
    covariance = stored["covariance_kcal2_mol2"].to_list()
    at = dict(stored.select("ligand", "node").iter_rows())
    i, j = at[f"b {IN_1}"], at[f"b {IN_2}"]
    assert math.sqrt(covariance[i][i] + covariance[j][j] - 2 * covariance[i][j]) == pytest.approx(0.3)
    assert len(after) == 6


def test_the_second_gather_finds_nothing_new_and_a_withdrawal_is_a_new_version(
    campaign: Campaign, network: str
) -> None:
    link(campaign, network)
    assert gather_network(campaign.lake, network).new_round
    assert not gather_network(campaign.lake, network).new_round
    assert withdraw_link(campaign.lake, SCOPE, f"b {IN_1}", f"b {IN_2}", reason="other pH", caller=ME) == ["binding"]
    assert gather_network(campaign.lake, network).new_round
    assert {row["component"] for row in nodes(campaign, network).values()} == {0, 1}
    log = campaign.lake.table("link_log").scan().sort("at").collect()
    assert log.select("event", "actor", "reason").rows() == [("declared", "me", None), ("withdrawn", "me", "other pH")]
    with pytest.raises(NotFoundError, match="nothing was withdrawn"):
        withdraw_link(campaign.lake, SCOPE, f"b {IN_1}", f"b {IN_2}", caller=ME)


def test_the_latest_declaration_counts_in_either_direction(campaign: Campaign, network: str) -> None:
    link(campaign, network)
    declare_link(campaign.lake, network, f"b {IN_1}", f"b {IN_2}", offset_kcal_mol=2.0, uncertainty_kcal_mol=0.0)
    (row,) = current_links(campaign.lake, SCOPE).rows(named=True)
    assert (row["ligand_i"], row["value_kcal_mol"], row["uncertainty_kcal_mol"]) == (f"b {IN_1}", 2.0, 0.0)
    value = {ligand: float(str(row["value_kcal_mol"])) for ligand, row in nodes(campaign, network).items()}
    assert value[f"b {IN_2}"] - value[f"b {IN_1}"] == pytest.approx(2.0)


def test_cycles_through_links_are_checked(campaign: Campaign, network: str) -> None:
    link(campaign, network, uncertainty_kcal_mol=0.1)
    declare_link(campaign.lake, network, f"a {IN_2}", f"a {IN_1}", offset_kcal_mol=9.0, uncertainty_kcal_mol=0.1)
    gather_network(campaign.lake, network)
    found = ask(connect(campaign.lake), "latest_findings", network=network, flagged=True)
    assert "cycle" in set(found["checked"])
    own = edges_of(campaign, network).filter(pl.col("legs").list.len() > 0)
    assert own["uncertainty_kcal_mol"].max() < 0.3, "a wrong declaration does not make calculations uncertain"
    texts = found.filter(pl.col("checked") == "edge")["description"]
    assert any("declared binding" in text for text in texts)


def test_links_rank_ligands_of_both_structures_together_and_are_no_computed_edges(
    campaign: Campaign, network: str
) -> None:
    for n, ligand in enumerate("abc"):
        for structure in (IN_1, IN_2):
            campaign.assay(f"{ligand} {structure}", -8.0 + n, n=n)
    gather_network(campaign.lake, network)
    edges = {c.quantity: c.performance.n for c in compare(connect(campaign.lake), network=network)}
    link(campaign, network)
    gather_network(campaign.lake, network)
    connection = connect(campaign.lake)
    assert set(rank_network(connection, network).ligands["component"]) == {0}
    assert {c.quantity: c.performance.n for c in compare(connection, network=network)} == edges


def test_the_drawing_marks_a_link(campaign: Campaign, network: str) -> None:
    link(campaign, network)
    gather_network(campaign.lake, network)
    (kind,) = network_graph(campaign.lake, network).kinds
    declared = [edge for edge in kind["edges"] if edge["declared"]]
    assert [(edge["value"], edge["uncertainty"], edge["note"]) for edge in declared] == [
        (-0.5, 0.3, "declared by me, not computed")
    ]
    assert declared[0]["status"] == "complete"
    assert len(kind["edges"]) == 5


def test_an_edge_with_a_result_takes_the_place_of_a_link(campaign: Campaign) -> None:
    network = campaign.network("one", [("a", "b"), ("b", "c")])
    gather_network(campaign.lake, network)
    declare_link(campaign.lake, network, "a", "b", offset_kcal_mol=5.0, uncertainty_kcal_mol=0.1, caller=ME)
    found = nodes(campaign, network)
    assert float(str(found["b"]["value_kcal_mol"])) - float(str(found["a"]["value_kcal_mol"])) == pytest.approx(5.0)
    edges = ask(connect(campaign.lake), "latest_edges", network=network)
    assert edges.select("ligand_i", "ligand_j", "status").rows() == [
        ("a", "b", "incomplete"), ("b", "a", "ok"), ("b", "c", "incomplete")
    ]  # fmt: skip
    for task in campaign.new_tasks(network, ["a_b_other"] * 2):
        campaign.result(task, 1.0, 0.1)
    found = nodes(campaign, network)
    assert float(str(found["b"]["value_kcal_mol"])) - float(str(found["a"]["value_kcal_mol"])) == pytest.approx(1.0)


def test_a_link_does_not_exclude_edges_without_uncertainty(campaign: Campaign) -> None:
    network = campaign.network("one", [("a", "b"), ("c", "d")])
    for task in campaign.new_tasks(network, ["a_b_other", "c_d_other"]):
        campaign.result(task, 1.0, None)
    declare_link(campaign.lake, network, "b", "c", uncertainty_kcal_mol=0.3, caller=ME)
    value = {ligand: float(str(row["value_kcal_mol"])) for ligand, row in nodes(campaign, network).items()}
    assert value["d"] - value["a"] == pytest.approx(2.0)


def test_what_cannot_be_linked_is_refused(campaign: Campaign, network: str) -> None:
    with pytest.raises(NotFoundError, match=r"has no node 'b in ProteinComponent-3'; did you mean"):
        declare_link(campaign.lake, network, f"b {IN_1}", "b in ProteinComponent-3", uncertainty_kcal_mol=0.1)
    with pytest.raises(NotFoundError, match=rf"has no node 'zzzz'; `\S+ gather {network}` prints its nodes$"):
        declare_link(campaign.lake, network, f"b {IN_1}", "zzzz", uncertainty_kcal_mol=0.1)
    with pytest.raises(NotFoundError, match=rf"nothing was withdrawn; `.* --list --scope {SCOPE}` lists links$"):
        withdraw_link(campaign.lake, SCOPE, "b", "zzzz")
    with pytest.raises(SettingsError, match="two nodes"):
        declare_link(campaign.lake, network, "b", "b", uncertainty_kcal_mol=0.1)
    for numbers in ({"uncertainty_kcal_mol": -0.1}, {"offset_kcal_mol": math.nan}):
        with pytest.raises(SettingsError, match="finite offset"):
            link(campaign, network, **numbers)
    assert not len(current_links(campaign.lake))


def test_missing_links_are_the_fewest_that_join_the_parts() -> None:
    parts = {"a in P": 0, "b in P": 0, "a in Q": 1, "b in Q": 1, "c in Q": 2, "d": 3}
    ligands = pl.DataFrame({"ligand": list(parts), "component": list(parts.values())})
    edges = pl.DataFrame({"ligand_i": ["b in Q", "a in Q"], "ligand_j": ["c in Q", "c in Q"], "status": ["error"] * 2})
    found = missing_links(ligands, edges)
    assert [(str(link), link.has_edge) for link in found] == [
        ("a in Q -> c in Q", True), ("a in P -> a in Q", False)
    ]  # fmt: skip


def test_parts_that_stay_apart_are_named_with_what_would_join_them(campaign: Campaign, network: str) -> None:
    with pytest.raises(EstimationError, match=rf"networks link \S+ A B`: a {IN_1} -> a {IN_2} are one ligand"):
        dg_table(connect(campaign.lake), network)
    other = campaign.network("other", [("a", "b"), ("b", "c"), ("c", "d")])
    for task in campaign.new_tasks(other, ["a_b_other", "c_d_other"]):
        campaign.result(task, 1.0, 0.1)
    gather_network(campaign.lake, other)
    with pytest.raises(EstimationError, match="run the missing Tasks of b -> c, or print"):
        dg_table(connect(campaign.lake), other)


@pytest.fixture
def call(campaign: Campaign) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(campaign.lake.local_path)})

    return run


def test_the_command_declares_lists_and_withdraws(network: str, call: Callable[..., Result]) -> None:
    pair = (f"a {IN_1}", f"a {IN_2}")
    done = call("networks", "link", "two", *pair, "--offset", "-0.4", "--uncertainty", "0.2", "--reason", "same site")
    assert "1 link declared (binding)" in done.stderr
    assert call("gather", "two").exit_code == 0
    listed = call("networks", "link", "two", "--list", "--tsv").stdout.splitlines()
    assert listed[1].split("\t")[:5] == [*pair, "-0.4", "0.2", "binding"]
    assert "1 link withdrawn" in call("networks", "link", "two", *pair, "--withdraw").stderr
    assert "no declared link" in call("networks", "link", "two", "--list").output
    for wrong in ([], ["--list", *pair], ["--withdraw"], [*pair], [*pair, "--withdraw", "--uncertainty", "1"]):
        assert call("networks", "link", "two", *wrong).exit_code == 2
