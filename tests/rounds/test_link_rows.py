"""Declared links as rows: of which ligands and groups, and the rounds that they wake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake import declare_link, withdraw_link
from alchemiscale_lake.rounds import advance_network, set_strategy
from alchemiscale_lake.rounds.link_rows import link_rows, links_for, with_links
from alchemiscale_lake.strategies import LinkRow, NetworkRows, strategy_process
from tests.campaign import SCOPE, Campaign
from tests.rounds.test_advance import ADA, run_all, tasks
from tests.rounds.test_network_rows import read

P1, P2 = "ProteinComponent-11112222333344445555", "ProteinComponent-66667777888899990000"
NODE_1, NODE_2 = "b in ProteinComponent-11112222", "b in ProteinComponent-66667777"


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


def frame(*rows: tuple[str, str, str]) -> pl.DataFrame:
    columns = {"kind": pl.String, "ligand_i": pl.String, "ligand_j": pl.String}
    links = pl.DataFrame(list(rows), schema=columns, orient="row")
    return links.with_columns(value_kcal_mol=pl.lit(0.5), uncertainty_kcal_mol=pl.lit(0.1))


def legs(*environments: str | None) -> pl.DataFrame:
    rows = [{"ligand_i": "a", "ligand_j": "b", "environment": of} for of in environments]
    return pl.DataFrame(rows, schema={"ligand_i": pl.String, "ligand_j": pl.String, "environment": pl.String})


def row(**facts: Any) -> LinkRow:
    return LinkRow(**{"value_kcal_mol": 0.5, "uncertainty_kcal_mol": 0.1, "ligand_a": "b", "ligand_b": "b", **facts})


def test_nodes_of_several_structures_are_a_ligand_and_its_group() -> None:
    links = frame(("binding", NODE_1, NODE_2), ("hydration", "a", "b"), ("binding", "a", "b"), ("binding", "a", "x"))

    assert link_rows(links, legs(P1, P2, None)) == (
        row(group_a=P1, group_b=P2),
        row(ligand_a="a", kind="hydration"),
    )
    # with one structure, names are those of the ligands
    assert link_rows(links, legs(P1, None)) == (row(ligand_a="a", kind="hydration"), row(ligand_a="a"))
    assert link_rows(frame(("binding", "(none)", "b")), legs(P1)) == ()


def test_a_declared_link_reaches_the_strategy(campaign: Campaign) -> None:
    network = campaign.network("two", [("a", "b"), ("b", "c")], (f"complex:{P1}", f"complex:{P2}", "solvent"))

    declare_link(campaign.lake, network, NODE_1, NODE_2, offset_kcal_mol=0.5, uncertainty_kcal_mol=0.1, caller=ADA)

    assert read(campaign, network).links == (row(group_a=P1, group_b=P2),)
    other = campaign.network("one", [("a", "b")], ("solvent",))
    assert read(campaign, other).links == ()


def test_rounds_ask_for_nothing_that_a_link_gives_and_wake_when_it_is_withdrawn(campaign: Campaign) -> None:
    """Two pairs and an edge between them; the pairs are certain enough, the edge has no result."""
    network = campaign.network("one", [("a", "b"), ("b", "c"), ("c", "d")])
    lake = campaign.lake
    declare_link(lake, network, "b", "c", uncertainty_kcal_mol=0.1, caller=ADA)
    rule = {"stop": {"max_uncertainty_kcal_mol": 50.0}, "bridge_repeats": 1}
    set_strategy(lake, [network], "optimal-design", settings=rule, caller=ADA)

    def advance() -> Any:
        return advance_network(lake, network, caller=ADA)

    assert advance().n_tasks == 2
    assert set(tasks(lake)) == {campaign.transformation(f"{pair}_other") for pair in ("a_b", "c_d")}
    run_all(campaign)
    assert advance().state == "finished"
    assert advance().state == advance().state == "dormant"

    withdraw_link(lake, SCOPE, "b", "c", caller=ADA)

    woken = advance()
    assert woken.state == "asked"
    assert campaign.transformation("b_c_other") in tasks(lake, "waiting")
    rounds = lake.table("strategy_rounds").scan().select("round", "inputs_digest").unique().collect()
    assert len(rounds) == rounds["inputs_digest"].n_unique() == 3


def test_links_reach_the_process_of_a_users_own_strategy(tmp_path: Path) -> None:
    rows = NetworkRows(transformations=(), links=(row(group_a=P1), row(kind="direct")))

    asked = strategy_process.question("s", {}, rows, code=None, digest="", answer=tmp_path)

    assert strategy_process.network_from(json.loads(asked)["network"]) == rows


def test_without_links_the_digest_is_as_it_was(campaign: Campaign) -> None:
    network = campaign.network("one", [("a", "b")])

    assert with_links("d", links_for(campaign.lake, network)) == "d"
    declare_link(campaign.lake, network, "a", "b", uncertainty_kcal_mol=0.1, caller=ADA)
    assert with_links("d", links_for(campaign.lake, network)) != "d"
