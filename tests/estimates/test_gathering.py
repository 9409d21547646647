"""Gathering: what is counted, what is written and when, and that a crash anywhere leaves a consistent lake."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.errors import NotFoundError
from alchemiscale_lake.estimates import estimate_versions as estimate_versions
from alchemiscale_lake.estimates import gathering, gathering_snapshot
from alchemiscale_lake.estimates.gathering import gather_and_connect, gather_network
from alchemiscale_lake.estimators.network.leg_uncertainties import LegRule
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.query import NetworksConnection, ask, connect, connect_to_networks
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign, hours
from tests.long import LONG, drawn

TABLES = ("transformation_estimates", "edge_estimates", "network_estimates")
RING = [("a", "b"), ("b", "c"), ("c", "a")]


class CrashError(Exception):
    """The exception of a fault hook."""


def campaign_with_results(folder: Path, per_leg: int = 2) -> tuple[Campaign, str]:
    campaign = Campaign.at(folder)
    network = campaign.network("ring", RING)
    with campaign.together():
        for task in campaign.new_tasks(network, [f"{a}_{b}_other" for a, b in RING] * per_leg):
            campaign.result(task, 1.0, 0.1)
    return campaign, network


def counts(campaign: Campaign) -> dict[str, int]:
    return {name: campaign.lake.table(name).scan().select(pl.len()).collect().item() for name in TABLES}


def contents(campaign: Campaign) -> dict[str, list[dict[str, object]]]:
    """Return the newest estimate version without times and numbers that depend on when it was gathered."""
    con = connect(campaign.lake)
    questions = {q: ask(con, q) for q in ("current_transformation_estimates", "latest_edges", "ligand_ranking")}
    apart = ("estimated_at", "as_of_seq", "round", "results_digest")
    return {q: rows.drop([c for c in apart if c in rows.columns]).to_dicts() for q, rows in questions.items()}


def test_values_recover_the_truth_they_were_drawn_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    ligands = [f"lig{i}" for i in range(12)]
    truth = dict(zip(ligands, rng.uniform(-5, 5, 12), strict=True))
    pairs = list(itertools.pairwise(ligands)) + [(ligands[i], ligands[(i + 4) % 12]) for i in range(0, 12, 2)]
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("truth", pairs)
    for task in campaign.new_tasks(network, [f"{a}_{b}_other" for a, b in pairs for _ in range(2)]):
        a, b, _ = campaign.tasks[task].transformation.split("-")[1].split("_")
        campaign.result(task, truth[b] - truth[a] + rng.normal(0, 0.2), 0.2, end_task=False)

    report = gather_network(campaign.lake, network)

    assert (report.round, report.new_round, report.n_whole_edges, report.n_ligands) == (1, True, len(pairs), 12)
    nodes = ask(connect(campaign.lake), "ligand_ranking", network=network)
    expected = np.array([truth[ligand] for ligand in nodes["ligand"]]) - np.mean(list(truth.values()))
    deviation = (nodes["value_kcal_mol"].to_numpy() - expected) / nodes["uncertainty_kcal_mol"].to_numpy()
    assert np.abs(deviation).max() < 3
    assert nodes["uncertainty_kcal_mol"].max() < 0.2
    assert not nodes["absolute"].any()


def test_legs_of_two_environments_become_binding_edges_pinned_to_experiment(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("binding", [("a", "b")], ("solvent", "complex"))
    values = {"a_b_solvent": (4.0, 0.3), "a_b_complex": (6.5, 0.4)}
    for key, numbers in values.items():
        campaign.result(campaign.new_tasks(network, [key])[0], *numbers)
    campaign.assay("a", -9.0, n=0)
    campaign.assay("a", -8.0, n=1)  # entered later, so it counts
    campaign.assay("b", -6.0, kind="hydration")  # of another kind, so it does not

    gather_network(campaign.lake, network)

    con = connect(campaign.lake)
    (edge,) = ask(con, "latest_edges").to_dicts()
    assert (edge["kind"], edge["ligand_i"], edge["ligand_j"], edge["status"]) == ("binding", "a", "b", "ok")
    assert edge["value_kcal_mol"] == pytest.approx(2.5)
    assert edge["uncertainty_kcal_mol"] == pytest.approx(0.5)
    assert edge["legs"] == [campaign.transformation("a_b_complex"), campaign.transformation("a_b_solvent")]
    nodes = ask(con, "ligand_ranking").to_dicts()
    assert [(n["ligand"], n["absolute"], n["experiment_kcal_mol"]) for n in nodes] == [
        ("a", True, -8.0),
        ("b", True, None),
    ]
    assert [n["value_kcal_mol"] for n in nodes] == pytest.approx([-8.0, -5.5])


def test_the_same_ligands_in_two_proteins_are_not_taken_for_one_another(tmp_path: Path) -> None:
    """Selectivity: each protein has its own free energies, and both use the same solvent legs."""
    campaign = Campaign.at(tmp_path / "lake")
    phases = ("complex:ProteinComponent-aaaaaaaa1", "complex:ProteinComponent-bbbbbbbb2", "solvent", "vacuum")
    network = campaign.network("selectivity", [("a", "b"), ("b", "c"), ("a", "c")], phases)
    legs = {
        f"{pair}_{phase}": sign * value
        for pair, sign in (("a_b", 1.0), ("b_c", 1.0), ("a_c", 2.0))
        for phase, value in (
            ("complex_ProteinComponentaaaaaaaa1", 3.0),
            ("complex_ProteinComponentbbbbbbbb2", -2.0),
            ("solvent", 1.0),
            ("vacuum", 0.5),
        )
    }
    for key, value in legs.items():
        (task,) = campaign.new_tasks(network, [key])
        campaign.result(task, value, 0.1)
    gather_network(campaign.lake, network)
    edges = ask(connect(campaign.lake), "latest_edges", network=network)
    found = {
        (kind, i, j): value
        for kind, i, j, value in edges.select("kind", "ligand_i", "ligand_j", "value_kcal_mol").iter_rows()
    }
    assert len(found) == 9
    one, two = " in ProteinComponent-aaaaaaaa", " in ProteinComponent-bbbbbbbb"
    assert found["binding", f"a{one}", f"b{one}"] == pytest.approx(2.0)
    assert found["binding", f"a{two}", f"b{two}"] == pytest.approx(-3.0)
    assert found["hydration", "a", "b"] == pytest.approx(0.5)
    assert edges.filter(kind="binding")["status"].to_list() == ["ok"] * 6
    ranking = ask(connect(campaign.lake), "ligand_ranking", network=network)
    assert ranking.filter(kind="binding")["component"].n_unique() == 2
    assert sorted(ranking.filter(kind="hydration")["ligand"]) == ["a", "b", "c"]


def test_experiment_of_another_kind_serves_direct_edges_and_is_said(tmp_path: Path) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    for ligand, value in zip("abc", (-1.0, -2.0, -3.0), strict=True):
        campaign.assay(ligand, value, kind="hydration")

    gather_network(campaign.lake, network)

    nodes = ask(connect(campaign.lake), "ligand_ranking")
    assert nodes["absolute"].all()
    assert nodes["value_kcal_mol"].mean() == pytest.approx(-2.0)
    assert any(note.startswith("experiment-kind: ") for note in nodes["notes"][0])


def test_only_what_changed_is_gathered_again(tmp_path: Path) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    gather_network(campaign.lake, network)
    before = counts(campaign)

    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], 1.6, 0.1)
    report = gather_network(campaign.lake, network)

    assert report.n_regathered == 1
    assert report.round == 2
    assert counts(campaign) == {
        "transformation_estimates": before["transformation_estimates"] + 1,
        "edge_estimates": before["edge_estimates"] + 3,
        "network_estimates": before["network_estimates"] + 3,
    }
    (row,) = ask(
        connect(campaign.lake), "current_transformation_estimates", transformation=campaign.transformation("a_b_other")
    ).to_dicts()
    assert (row["n_results"], row["value_kcal_mol"]) == (3, pytest.approx(1.2))


def test_gathering_again_writes_nothing(tmp_path: Path) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    gather_network(campaign.lake, network)
    before = counts(campaign)

    report = gather_network(campaign.lake, network)

    assert (report.n_regathered, report.round, report.new_round) == (0, 1, False)
    assert counts(campaign) == before


def test_a_new_experimental_value_makes_a_round_without_regathering(tmp_path: Path) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    gather_network(campaign.lake, network)

    campaign.assay("a", -1.0, kind="direct")
    report = gather_network(campaign.lake, network)

    assert (report.n_regathered, report.round, report.new_round) == (0, 2, True)


def test_a_second_good_result_of_a_task_is_kept_but_not_counted(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("pair", [("a", "b")])
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    campaign.result(task, 2.0, 0.1, started_at=hours(5))
    campaign.result(task, 9.0, 0.1, started_at=hours(6), end_task=False)

    gather_network(campaign.lake, network)

    con = connect(campaign.lake)
    assert ask(con, "counted_results")["estimate_kcal_mol"].to_list() == [2.0]
    assert con.sql("select count(*) from results").fetchall() == [(2,)]
    assert ask(con, "current_transformation_estimates")["value_kcal_mol"].to_list() == [2.0]


def test_results_of_an_invalid_task_no_longer_count_and_may_count_again_by_number(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("pair", [("a", "b")])
    first, second = campaign.new_tasks(network, ["a_b_other"] * 2)
    campaign.result(first, 2.0, 0.1)
    gather_network(campaign.lake, network)
    campaign.result(second, 4.0, 0.1)
    gather_network(campaign.lake, network)
    campaign.set_status(second, "invalid")  # the results that count are those of the first round again

    report = gather_network(campaign.lake, network)
    again = gather_network(campaign.lake, network)

    assert (report.n_regathered, report.round) == (1, 3)
    assert (again.n_regathered, again.new_round) == (0, False)
    (row,) = ask(connect(campaign.lake), "current_transformation_estimates").to_dicts()
    assert (row["value_kcal_mol"], row["n_results"]) == (2.0, 1)


def test_a_network_keeps_the_rule_it_was_gathered_by(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("pair", [("a", "b")])
    for task, value in zip(campaign.new_tasks(network, ["a_b_other"] * 2), (1.0, 3.0), strict=True):
        campaign.result(task, value, 0.1)

    first = gather_network(campaign.lake, network)
    chosen = gather_network(campaign.lake, network, rule="sd")
    kept = gather_network(campaign.lake, network)
    rules = ask(connect(campaign.lake), "latest_edges", network=network)["rule"].to_list()
    back = gather_network(campaign.lake, network, rule="pooled")

    assert [r.round for r in (first, chosen, kept, back)] == [1, 2, 2, 3]
    assert (kept.new_round, rules) == (False, ["sd"])


def test_another_rule_makes_a_round_and_regathers_nothing(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("pair", [("a", "b")])
    for task, value in zip(campaign.new_tasks(network, ["a_b_other"] * 2), (1.0, 3.0), strict=True):
        campaign.result(task, value, 0.1)
    gather_network(campaign.lake, network)
    rules: tuple[LegRule, ...] = ("larger", "own", "sd", "own", "pooled")

    seen = []
    for rule in rules:
        report = gather_network(campaign.lake, network, rule=rule)
        again = gather_network(campaign.lake, network, rule=rule)
        row = ask(connect(campaign.lake), "latest_edges").row(0, named=True)
        assert (report.n_regathered, report.new_round, again.new_round) == (0, True, False)
        if rule != "pooled":  # an edge without cycles is less certain than its leg
            assert row["leg_uncertainties_kcal_mol"] == [row["uncertainty_kcal_mol"]]
        seen.append((report.round, row["rule"], round(row["uncertainty_kcal_mol"], 3)))

    sem, own, sd = 1.0, 0.071, 1.414
    assert seen[:4] == [(2, "larger", sem), (3, "own", own), (4, "sd", sd), (5, "own", own)]
    assert seen[4][:2] == (6, "pooled")
    (leg,) = ask(connect(campaign.lake), "current_transformation_estimates").to_dicts()
    assert leg["values_kcal_mol"] == [1.0, 3.0]
    assert leg["own_uncertainties_kcal_mol"] == [0.1, 0.1]
    assert leg["sem_kcal_mol"] == pytest.approx(sem)


def test_good_results_without_a_number_are_an_error_and_failed_ones_give_no_estimate(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("odd", [("a", "b"), ("b", "c"), ("c", "d")])
    mute, half, other, failed = campaign.new_tasks(network, ["a_b_other", "b_c_other", "b_c_other", "c_d_other"])
    campaign.result(mute)
    campaign.result(half, 1.0, 0.1)
    campaign.result(other)
    campaign.result(failed, ok=False)

    report = gather_network(campaign.lake, network)

    con = connect(campaign.lake)
    rows = {r["name"]: r for r in ask(con, "current_transformation_estimates").to_dicts()}
    assert set(rows) == {"a_b_other", "b_c_other"}
    assert (rows["a_b_other"]["status"], rows["a_b_other"]["value_kcal_mol"]) == ("error", None)
    assert "has an estimate" in rows["a_b_other"]["note"]
    assert (rows["b_c_other"]["status"], rows["b_c_other"]["value_kcal_mol"]) == ("ok", 1.0)
    assert rows["b_c_other"]["note"] == "1 of 2 good results has no estimate"
    assert {r["ligand_i"]: r["status"] for r in ask(con, "latest_edges").to_dicts()} == {
        "a": "error",
        "b": "ok",
        "c": "error",
    }
    assert {r["ligand"]: r["value_kcal_mol"] for r in ask(con, "ligand_ranking").to_dicts()} == {
        "a": None,
        "b": -0.5,
        "c": 0.5,
        "d": None,
    }
    assert (report.n_edges, report.n_whole_edges) == (3, 1)


def test_non_transformations_are_estimated_but_are_no_edges(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("alone", [("a", "b")])
    sample = campaign.lake.table("transformations").scan().collect().row(0, named=True)
    alone = sample | {
        "transformation": campaign.transformation("alone"),
        "qualname": "NonTransformation",
        "name": "alone",
        "state_b": None,
        "ligand_b": None,
        "ligand_b_name": None,
    }
    campaign.lake.table("transformations").append_new([alone])
    member = {"scope": SCOPE, "network": network, "member": alone["transformation"], "kind": "transformation"}
    campaign.lake.table("network_members").append_new([member])
    for task in campaign.new_tasks(network, ["a_b_other", "alone"]):
        campaign.result(task, 1.0, 0.1)

    report = gather_network(campaign.lake, network)

    assert (report.n_transformations, report.n_estimated, report.n_edges) == (2, 2, 1)


def test_a_network_without_any_result_has_a_round_of_incomplete_edges(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("fresh", RING, ("solvent", "vacuum"))

    report = gather_network(campaign.lake, network)

    con = connect(campaign.lake)
    assert (report.round, report.n_whole_edges) == (1, 0)
    assert ask(con, "latest_edges")["status"].to_list() == ["incomplete"] * 3
    assert ask(con, "latest_edges")["kind"].to_list() == ["hydration"] * 3
    assert ask(con, "ligand_ranking")["value_kcal_mol"].to_list() == [None] * 3


def test_covariance_is_symmetric_by_node_and_left_out_past_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    gather_network(campaign.lake, network)
    rows = campaign.lake.table("network_estimates").scan().sort("node").collect()

    matrix = np.array(rows["covariance_kcal2_mol2"].to_list())
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)
    np.testing.assert_allclose(np.sqrt(np.diag(matrix)), rows["uncertainty_kcal_mol"].to_numpy())

    monkeypatch.setattr(estimate_versions, "MAX_COVARIANCE_LIGANDS", 2)
    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], 1.0, 0.1)
    gather_network(campaign.lake, network)
    newest = campaign.lake.table("network_estimates").scan().filter(pl.col("round") == 2).collect()
    assert newest["covariance_kcal2_mol2"].null_count() == 3
    assert any("covariance-omitted" in note for note in newest["notes"][0])


def test_two_networks_share_the_estimates_of_their_transformations(tmp_path: Path) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    grown = campaign.network("grown", [*RING, ("c", "d")])
    gather_network(campaign.lake, network)

    report = gather_network(campaign.lake, grown)

    assert (report.n_regathered, report.n_estimated, report.n_edges) == (0, 3, 4)


def test_an_unknown_network_is_an_error(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")

    with pytest.raises(NotFoundError, match="has no network AlchemicalNetwork-none"):
        gather_network(campaign.lake, f"AlchemicalNetwork-none-{SCOPE}")


# --- crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_places", [8, pytest.param(1000, marks=LONG)])
def test_a_crash_at_any_place_and_gathering_again_ends_alike(n_places: int, tmp_path: Path) -> None:
    start, network = campaign_with_results(tmp_path / "start")
    passed: list[str] = []
    with fault_hook(passed.append):
        gather_network(copy_of(start, tmp_path / "whole").lake, network)
    expected = contents(Campaign(Lake.open(tmp_path / "whole")))
    between = {"gather:after-transformations", "gather:after-edges", "gather:after-nodes"}
    assert between < set(passed)

    places = [(number, place) for number, place in enumerate(passed) if place in between]
    places += drawn([both for both in enumerate(passed) if both not in places], n_places - len(places))
    for number, place in sorted(places):
        cut = copy_of(start, tmp_path / f"cut{number}")
        countdown = itertools.count(number, -1)

        def die(_: str, countdown: Iterator[int] = countdown) -> None:
            if next(countdown) == 0:
                raise CrashError

        with fault_hook(die), pytest.raises(CrashError):
            gather_network(cut.lake, network)
        left = contents(cut)
        report = gather_network(cut.lake, network)

        assert bool(left["latest_edges"]) == bool(left["ligand_ranking"]), place
        assert report.round == 1, place
        assert contents(cut) == expected, place


def copy_of(campaign: Campaign, folder: Path) -> Campaign:
    assert campaign.lake.local_path is not None
    shutil.copytree(campaign.lake.local_path, folder)
    return Campaign(Lake.open(folder))


def test_a_round_cut_before_its_nodes_is_not_mixed_with_newer_results(tmp_path: Path) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")

    def die(place: str) -> None:
        if place == "gather:after-edges":
            raise CrashError

    with fault_hook(die), pytest.raises(CrashError):
        gather_network(campaign.lake, network)
    campaign.result(campaign.new_tasks(network, ["a_b_other"])[0], 4.0, 0.1)
    report = gather_network(campaign.lake, network)

    assert report.round == 2
    edges = ask(connect(campaign.lake), "latest_edges")
    assert edges.filter(pl.col("ligand_i") == "a")["value_kcal_mol"].to_list() == [pytest.approx(2.0)]
    assert edges["round"].unique().to_list() == [2]


def test_concurrent_gather_runs_create_one_estimate_version(tmp_path: Path) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    reports = []

    def meanwhile(place: str) -> None:
        if place == "gather:after-edges" and not reports:
            reports.append(None)
            reports.append(gather_network(campaign.lake, network))

    with fault_hook(meanwhile):
        outer = gather_network(campaign.lake, network)

    inner = reports[1]
    assert inner is not None
    assert (inner.round, inner.new_round) == (1, True)
    assert (outer.round, outer.new_round) == (1, False)
    assert counts(campaign)["network_estimates"] == 3


def test_a_connection_is_opened_once_with_nothing_new_and_again_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    opened: list[tuple[str, ...]] = []

    def noting(lake: Lake, networks: list[str], names: tuple[str, ...] = ()) -> NetworksConnection:
        opened.append(tuple(networks))
        return connect_to_networks(lake, networks, names)

    for module in (gathering, gathering_snapshot):
        monkeypatch.setattr(module, "connect_to_networks", noting)
    (first,), reading = gather_and_connect(campaign.lake, [network], ["ligand_ranking"])
    n_first = len(opened)
    (again,), unchanged = gather_and_connect(campaign.lake, [network], ["ligand_ranking"])

    assert (first.new_round, again.new_round) == (True, False)
    assert len(opened) - n_first == 1
    expected = ask(connect(campaign.lake), "ligand_ranking")
    assert ask(reading.connection, "ligand_ranking").equals(expected)
    assert ask(unchanged.connection, "ligand_ranking").equals(expected)


def test_the_connection_sees_all_networks_whatever_was_gathered_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, network = campaign_with_results(tmp_path / "lake")
    other = campaign.network("other", RING, scope="org-campaign-other")
    monkeypatch.setattr(gathering, "_TOGETHER", 3)
    gather_and_connect(campaign.lake, [network, other], ["network_states"])

    reports, reading = gather_and_connect(campaign.lake, [network, other], ["network_states"])

    assert not any(report.new_round for report in reports)
    assert set(ask(reading.connection, "network_states")["network"]) == {network, other}
