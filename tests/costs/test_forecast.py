from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.costs.cost_models import train_cost_model
from alchemiscale_lake.costs.forecast import Forecast, Forecasted
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign
from tests.cost_lake import law_gpu_hours, leg, openfe_lake, result


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def one(lake: Lake, transformation: str, pools: Pools | None = None) -> Forecasted:
    return Forecast(lake, pools).of([transformation])[transformation]


def pools(**protocols: dict[str, object]) -> Pools:
    return Pools.model_validate({"pools": {"local": {"kind": "local"}}, "protocols": protocols})


@pytest.fixture
def campaign(lake: Lake) -> Campaign:
    return Campaign(lake)


def results(campaign: Campaign, network: str, key: str, *wall_times_s: float, ok: bool = True) -> None:
    for task, wall_time_s in zip(campaign.new_tasks(network, [key] * len(wall_times_s)), wall_times_s, strict=True):
        campaign.result(task, 1.0 if ok else None, 0.1 if ok else None, ok=ok, wall_time_s=wall_time_s)


def test_without_results_durations_are_unknown(campaign: Campaign) -> None:
    campaign.network("n", [("a", "b")])
    found = one(campaign.lake, campaign.transformation("a_b_other"))
    assert found == Forecasted(Resources(1, None, 0.0), None, None, None)


def test_declared_durations_apply_until_results_exist(campaign: Campaign) -> None:
    network = campaign.network("n", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")])
    declared = pools(HarmonicProtocol={"gpus": 0.5, "cores": 2, "memory": "1GiB", "duration": "1h"})
    wanted = campaign.transformation("a_b_other")

    found = one(campaign.lake, wanted, declared)
    assert found == Forecasted(Resources(2, 2**30, 0.5), 3600.0, 0.5, "declared")

    for key, wall_time_s in (("b_c_other", 100.0), ("c_d_other", 200.0), ("d_e_other", 300.0)):
        results(campaign, network, key, wall_time_s)
    found = one(campaign.lake, wanted, declared)
    assert (found.source, found.duration_s) == ("protocol results", pytest.approx(280.0))
    assert found.gpu_hours == pytest.approx(200 * 0.5 / 3600)

    results(campaign, network, "a_b_other", 1000.0)
    found = one(campaign.lake, wanted, declared)
    assert (found.source, found.duration_s) == ("own results", pytest.approx(1250.0))


def test_own_results_are_taken_at_two_standard_deviations(campaign: Campaign) -> None:
    network = campaign.network("n", [("a", "b")])
    results(campaign, network, "a_b_other", 100.0, 200.0, 300.0)
    results(campaign, network, "a_b_other", 9999.0, ok=False)
    assert one(campaign.lake, campaign.transformation("a_b_other")).duration_s == pytest.approx(400.0)


def test_two_transformations_are_too_few_to_predict_a_third(campaign: Campaign) -> None:
    network = campaign.network("n", [("a", "b"), ("b", "c"), ("c", "d")])
    results(campaign, network, "b_c_other", 100.0)
    results(campaign, network, "c_d_other", 100.0)
    assert one(campaign.lake, campaign.transformation("a_b_other")).duration_s is None


def sized(campaign: Campaign, sizes: list[int]) -> list[str]:
    """Return Transformations with these numbers of atoms."""
    keys = []
    for i, n_atoms in enumerate(sizes):
        row = campaign._transformation(f"sized{i}", "a", "b", "other", campaign.scope, "HarmonicProtocol")
        campaign.lake.table("transformations").append_new([row | {"n_atoms_a": n_atoms - 1, "n_atoms_b": n_atoms}])
        keys.append(f"sized{i}")
    return keys


def test_atoms_count_where_they_explain_durations(campaign: Campaign) -> None:
    network = campaign.network("n", [("x", "y")])
    *known, wanted = sized(campaign, [1000 * (i + 1) for i in range(8)] + [40_000])
    for i, key in enumerate(known):
        results(campaign, network, key, 10.0 * (i + 1))

    assert one(campaign.lake, campaign.transformation(wanted)).duration_s == pytest.approx(400.0)
    # one of unknown size is forecast like the average
    assert one(campaign.lake, campaign.transformation("x_y_other")).duration_s == pytest.approx(73.0)


def test_atoms_do_not_count_where_they_explain_nothing(campaign: Campaign) -> None:
    network = campaign.network("n", [("x", "y")])
    *known, wanted = sized(campaign, [1000 * (i + 1) for i in range(8)] + [40_000])
    for key in known:
        results(campaign, network, key, 50.0)
    assert one(campaign.lake, campaign.transformation(wanted)).duration_s == pytest.approx(50.0)


def test_the_same_settings_take_precedence_over_the_same_class(campaign: Campaign) -> None:
    network = campaign.network("n", [("a", "b"), ("b", "c"), ("c", "d"), ("x", "y")])
    for key in ("a_b_other", "b_c_other", "c_d_other"):
        results(campaign, network, key, 100.0)
    row = campaign._transformation("long", "a", "b", "other", campaign.scope, "HarmonicProtocol")
    longer = [
        row | {"protocol": "HarmonicProtocol-long", "transformation": campaign.transformation(f"l{i}")}
        for i in range(4)
    ]
    campaign.lake.table("transformations").append_new(longer)
    for i in range(3):
        results(campaign, network, f"l{i}", 900.0)

    assert one(campaign.lake, campaign.transformation("x_y_other")).duration_s == pytest.approx(100.0)
    assert one(campaign.lake, campaign.transformation("l3")).duration_s == pytest.approx(900.0)


def test_results_are_read_again_after_half_a_minute_and_new_transformations_immediately(campaign: Campaign) -> None:
    network = campaign.network("n", [("a", "b")])
    clock = Clock()
    forecast = Forecast(campaign.lake, None, clock=clock)
    first, second = campaign.transformation("a_b_other"), campaign.transformation("b_c_other")
    assert forecast.of([first])[first].duration_s is None

    results(campaign, network, "a_b_other", 80.0)
    clock.now = 29.0
    assert forecast.of([first])[first].duration_s is None
    clock.now = 31.0
    assert forecast.of([first])[first].duration_s == pytest.approx(100.0)

    campaign.network("m", [("b", "c")], protocol="RelativeHybridTopologyProtocol")
    assert forecast.of([second])[second].resources.gpus == 1.0


def test_a_transformation_without_a_row_has_the_needs_of_an_unknown_protocol(lake: Lake, tmp_path: Path) -> None:
    forecast = Forecast(lake, pools(**{"*": {"cores": 3, "duration": "90s"}}))
    missing = "Transformation-1-org-campaign-project"

    assert forecast.of([missing])[missing] == Forecasted(Resources(3, None, 0.0), 90.0, 0.0, "declared")
    assert forecast.frame()["scope"].to_list() == ["org-campaign-project"]


def test_physics_is_expected_and_keeps_no_task_from_a_worker(lake: Lake) -> None:
    row = leg("a")
    lake.table("transformations").append_new([row])

    found = one(lake, row["transformation"])

    assert (found.source, found.duration_s) == ("extrapolated", None)
    assert found.gpu_hours is not None
    assert 0.3 < found.gpu_hours < 20.0


def test_a_trained_model_predicts_transformations_without_results(lake: Lake) -> None:
    legs = openfe_lake(lake)
    without = [row for row in legs if "e3" in row["key"]]
    assert {f.source for f in Forecast(lake, None).of([row["transformation"] for row in without]).values()} == {
        "protocol results"
    }
    train_cost_model(lake)

    found = Forecast(lake, None).of([row["transformation"] for row in legs])

    for row in without:
        told, truth = found[row["transformation"]], law_gpu_hours(row, "NVIDIA L40S")
        assert told.source == "cost model"
        assert told.gpu_hours == pytest.approx(truth, rel=0.2)
        assert told.duration_s is not None
        assert told.gpu_hours < told.duration_s / 3600.0 < 2.0 * truth
    assert found[legs[0]["transformation"]].source == "own results"


def test_what_the_model_has_not_seen_is_expected_only(lake: Lake) -> None:
    openfe_lake(lake)
    train_cost_model(lake)
    row = leg("cycling", protocol_qualname="NonEquilibriumCyclingProtocol", protocol="NonEquilibriumCyclingProtocol-1")
    lake.table("transformations").append_new([row])
    found = one(lake, row["transformation"])
    assert (found.source, found.duration_s) == ("extrapolated", None)


def test_a_share_of_a_gpu_makes_the_same_gpu_hours_longer(lake: Lake) -> None:
    legs = openfe_lake(lake)
    train_cost_model(lake)
    wanted = legs[-2]["transformation"]
    quarter = pools(RelativeHybridTopologyProtocol={"gpus": 0.25})

    whole, shared = one(lake, wanted), one(lake, wanted, quarter)

    assert whole.gpu_hours is not None
    assert shared.gpu_hours is not None
    assert whole.duration_s is not None
    # four concurrent ones were never seen, so none is excluded because of it
    assert (shared.source, shared.duration_s) == ("protocol results", pytest.approx(whole.duration_s, rel=1.0))


def test_a_newer_model_is_noticed(lake: Lake) -> None:
    legs = openfe_lake(lake)
    clock = Clock()
    forecast = Forecast(lake, None, clock=clock)
    wanted = legs[-1]["transformation"]
    assert forecast.of([wanted])[wanted].source == "protocol results"
    train_cost_model(lake)
    clock.now = 31.0
    first = forecast.of([wanted])[wanted]
    assert first.source == "cost model"

    slower = [result(row, 500 + i, noise=3.0) for i, row in enumerate(legs[:-2])]
    lake.table("results").append_new(slower)
    train_cost_model(lake)
    clock.now = 62.0
    second = forecast.of([wanted])[wanted]
    assert first.gpu_hours is not None
    assert second.gpu_hours is not None
    assert second.gpu_hours > 1.2 * first.gpu_hours
