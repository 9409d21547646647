"""Progress counts what the results of a network had cost when its estimates were made, also before it grew."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.rounds import set_strategy
from alchemiscale_lake.rounds.design_history import record_pickup
from alchemiscale_lake.rounds.network_progress import network_progress
from alchemiscale_lake.store import now_utc
from tests.campaign import SCOPE, Campaign, hours

ADA = Caller("ada")


def ran(campaign: Campaign, network: str, keys: list[str], value: float, *, gpu_hours: float, ok: bool = True) -> None:
    at = now_utc()
    for k, task in enumerate(campaign.new_tasks(network, keys)):
        seconds = 3600.0 * gpu_hours
        facts = {"gpu_time_s": seconds, "wall_time_s": seconds, "ended_at": at, "recorded_at": at}
        estimate = (value + 0.1 * (k % 2), 0.1) if ok else (None, None)
        campaign.result(task, *estimate, ok=ok, started_at=at - timedelta(hours=gpu_hours), **facts)  # type: ignore[arg-type]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


def test_uncertainty_is_seen_against_what_was_spent_by_then(campaign: Campaign) -> None:
    lake, network = campaign.lake, campaign.network("one", [("a", "b"), ("b", "c"), ("c", "a")])
    assert network_progress(lake, network).points == ()
    ran(campaign, network, ["a_b_other", "b_c_other", "c_a_other"] * 2, 1.0, gpu_hours=2.0)
    gather_network(lake, network)
    ran(campaign, network, ["a_b_other", "b_c_other", "c_a_other"] * 4, 1.0, gpu_hours=1.0)
    ran(campaign, network, ["a_b_other"], 1.0, gpu_hours=0.5, ok=False)
    gather_network(lake, network)
    campaign.new_tasks(network, ["a_b_other"])

    progress = network_progress(lake, network)
    first, second = progress.points
    assert (first.gpu_hours, second.gpu_hours) == (pytest.approx(12.0), pytest.approx(24.5))
    assert progress.gpu_hours == pytest.approx(24.5), "failures cost, too"
    assert progress.in_flight_gpu_hours > 0
    ranking = ask(connect(lake), "ligand_ranking", network=network)["uncertainty_kcal_mol"]
    assert second.mean_uncertainty_kcal_mol == pytest.approx((ranking**2).mean() ** 0.5)
    assert second.max_uncertainty_kcal_mol == ranking.max()
    assert second.mean_uncertainty_kcal_mol < first.mean_uncertainty_kcal_mol
    assert (first.n_ligands, progress.budget_gpu_hours) == (3, None)


def test_the_target_is_that_of_the_strategy_or_of_a_member(campaign: Campaign) -> None:
    lake, network = campaign.lake, campaign.network("one", [("a", "b"), ("b", "c"), ("c", "a")])
    ran(campaign, network, ["a_b_other", "b_c_other", "c_a_other"] * 2, 1.0, gpu_hours=2.0)
    gather_network(lake, network)
    stop = {"stop": {"mean_uncertainty_kcal_mol": 0.02}}
    member = {"members": [{"strategy": "fixed-repeats"}, {"strategy": "optimal-design", "settings": stop}]}
    for strategy, settings in (("optimal-design", stop), ("committee", member)):
        set_strategy(lake, [network], strategy, settings=settings, budget_gpu_hours=99.0, caller=ADA)
        progress = network_progress(lake, network)
        assert progress.forecast is not None
        assert (progress.forecast.target_kcal_mol, progress.budget_gpu_hours, progress.note) == (0.02, 99.0, None)
    set_strategy(lake, [network], "fixed-repeats", caller=ADA)
    progress = network_progress(lake, network)
    assert progress.forecast is not None
    assert progress.forecast.target_kcal_mol is None
    assert progress.note == "as if the next Tasks were chosen by optimal-design"


def test_a_network_that_grew_has_the_points_of_what_it_was(campaign: Campaign) -> None:
    lake, old = campaign.lake, campaign.network("old", [("a", "b")])
    ran(campaign, old, ["a_b_other"] * 2, 1.0, gpu_hours=2.0)
    gather_network(lake, old)
    new = campaign.network("new", [("a", "b"), ("b", "c")])
    row = {"path": "a.json", "digest": "1", "n_bytes": 1, "modified_at": hours(0), "outcome": "grown"}
    row |= {"n_transformations": 1, "n_new": 1, "network": new, "grown_from": old}
    assert record_pickup(lake, Scope.parse(SCOPE), "new", "file:///designs", [row], after=0, caller=ADA)
    ran(campaign, new, ["b_c_other"] * 2, 1.0, gpu_hours=3.0)
    gather_network(lake, new)

    progress = network_progress(lake, new)
    assert progress.networks == (old, new)
    assert [(p.gpu_hours, p.n_ligands) for p in progress.points] == [(4.0, 2), (10.0, 3)]


def test_a_network_that_was_extended_by_hand_has_the_points_of_what_it_was(campaign: Campaign) -> None:
    lake, old = campaign.lake, campaign.network("old", [("a", "b")])
    ran(campaign, old, ["a_b_other"] * 2, 1.0, gpu_hours=2.0)
    gather_network(lake, old)
    new = campaign.network("new", [("a", "b"), ("b", "c")], made_by="extend", made_from=[old])
    merged = campaign.network("merged", [("a", "b"), ("c", "d")], made_by="merge", made_from=[old, new])

    progress = network_progress(lake, new)
    assert progress.networks == (old, new)
    assert [(p.gpu_hours, p.n_ligands) for p in progress.points] == [(4.0, 2)]
    assert network_progress(lake, merged).networks == (merged,)


def test_results_that_were_copied_cost_nothing_here(campaign: Campaign) -> None:
    lake, network = campaign.lake, campaign.network("one", [("a", "b")])
    ran(campaign, network, ["a_b_other"] * 2, 1.0, gpu_hours=2.0)
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    campaign.result(task, 1.0, 0.1, origin_attempt=f"{99:032x}", gpu_time_s=36e3)

    assert network_progress(lake, network).gpu_hours == pytest.approx(4.0)
